"""Labelled answers to "Where 0.5514 comes from"."""

import math

import torch

from proctor.authoring import call, loop, right, wrong

STEPS, OWN = "derivation_steps", "own_numbers_loss"
LOG_SOFTMAX, LOGIT = "log_softmax_values", "logit_for_loss_values"
VALUES, GRADIENT = "cross_entropy_values", "cross_entropy_gradient"
DEVICE = "cross_entropy_device"
CROSS_ENTROPY = (VALUES, GRADIENT, DEVICE)


def by_hand(
    *,
    exp_logits="[2.7183, 1, 1]",
    total="4.7183",
    probabilities="[0.5761, 0.2119, 0.2119]",
    log_probability="-0.5514",
    loss="0.5514",
):
    """The five steps, right where nothing else is said."""
    return "\n".join(
        [
            f"exp_logits = {exp_logits}",
            f"total = {total}",
            f"probabilities = {probabilities}",
            f"log_probability = {log_probability}",
            f"loss = {loss}",
        ]
    )


def slip(name, hint, **steps):
    """A derivation with one slip, and what follows from it."""
    return wrong("derivation", name, by_hand(**steps), loses=[STEPS], hint=hint)


RIGHT = [
    # derivation
    right(
        "derivation",
        "computed with torch, in float32",
        """
        logits = torch.tensor([1.0, 0.0, 0.0])
        exp_logits = logits.exp()
        total = exp_logits.sum()
        probabilities = exp_logits / total
        log_probability = probabilities[0].log()
        loss = -log_probability
        """,
    ),
    right(
        "derivation",
        "NumPy arrays and numbers",
        """
        import numpy as np

        exp_logits = np.exp(np.array([1, 0, 0]))
        total = np.sum(exp_logits)
        probabilities = exp_logits / total
        log_probability = np.log(probabilities)[0]
        loss = np.abs(log_probability)
        """,
    ),
    right(
        "derivation",
        "tuples, with e as 2.72 all the way",
        by_hand(
            exp_logits="(2.72, 1, 1)",
            total="4.72",
            probabilities="(2.72 / 4.72, 1 / 4.72, 1 / 4.72)",
            log_probability="math.log(2.72 / 4.72)",
            loss="-math.log(2.72 / 4.72)",
        ),
    ),
    right(
        "derivation",
        "three decimals of the probabilities",
        by_hand(probabilities="[0.576, 0.212, 0.212]", log_probability="-0.5516", loss="0.5516"),
    ),
    right(
        "derivation",
        "a list of tensors, the loss by another way",
        """
        exp_logits = [torch.tensor(math.e), torch.tensor(1.0), torch.tensor(1.0)]
        total = math.e + 2
        probabilities = [math.e / total, 1 / total, 1 / total]
        log_probability = 1 - math.log(total)
        loss = math.log(total) - 1
        """,
    ),
    # own_numbers
    right("own_numbers", "typed by hand", 'student_id = "student-01"\nown_loss = 1.2508'),
    right(
        "own_numbers",
        "with spaces and capitals, reusing the names of the derivation",
        """
        student_id = "  Student-01 "
        logits = own_logits(student_id)
        exp_logits = [math.exp(logit) for logit in logits]
        total = sum(exp_logits)
        probabilities = [each / total for each in exp_logits]
        log_probability = math.log(probabilities[0])
        loss = -log_probability
        own_loss = loss
        """,
    ),
    right(
        "own_numbers",
        "by torch's own function",
        """
        student_id = "student-01"
        own_loss = torch.nn.functional.cross_entropy(
            torch.tensor([own_logits(student_id)]), torch.tensor([0])
        )
        """,
    ),
    # log_softmax
    right(
        "log_softmax",
        "logsumexp",
        """
        def log_softmax(logits):
            return logits - torch.logsumexp(logits, dim=-1, keepdim=True)
        """,
    ),
    right(
        "log_softmax",
        "max with its values, in a helper",
        """
        def without_largest(table):
            return table - table.max(-1, keepdim=True).values

        def log_softmax(z):
            z = without_largest(z)
            total = torch.exp(z).sum(-1)
            return z - torch.log(total).unsqueeze(-1)
        """,
    ),
    right(
        "log_softmax",
        "the largest logit detached, a lambda",
        """
        log_softmax = lambda logits: (
            logits
            - logits.detach().amax(-1, True)
            - (logits - logits.detach().amax(-1, True)).exp().sum(-1, True).log()
        )
        """,
    ),
    right(
        "log_softmax",
        "class by class, with logaddexp",
        """
        def log_softmax(logits):
            total, *others = logits.unbind(-1)
            for other in others:
                total = torch.logaddexp(total, other)
            return logits - total[..., None]
        """,
    ),
    right(
        "log_softmax",
        "all differences of two logits",
        """
        def log_softmax(logits):
            differences = logits[..., None, :] - logits[..., :, None]
            return -differences.logsumexp(-1)
        """,
    ),
    right(
        "log_softmax",
        "an nn.Module that works on columns",
        """
        class LogShares(torch.nn.Module):
            def forward(self, logits):
                columns = logits.movedim(-1, 0)
                shifted = columns - columns.max(dim=0)[0]
                return (shifted - shifted.exp().sum(dim=0).log()).movedim(0, -1)

        log_softmax = LogShares()
        """,
    ),
    right(
        "log_softmax",
        "twice, which changes nothing",
        """
        def log_softmax(logits):
            for _ in range(2):
                logits = logits - logits.logsumexp(-1, keepdim=True)
            return logits
        """,
    ),
    # cross_entropy
    right(
        "cross_entropy",
        "indexing with row numbers",
        """
        def cross_entropy(logits, targets):
            return -log_softmax(logits)[torch.arange(len(logits)), targets].mean()
        """,
    ),
    right(
        "cross_entropy",
        "indexing with range",
        """
        def cross_entropy(logits, targets):
            picked = log_softmax(logits)[range(logits.shape[0]), targets]
            return -picked.sum() / logits.shape[0]
        """,
    ),
    right(
        "cross_entropy",
        "one-hot times log-probabilities",
        """
        def cross_entropy(logits, targets):
            one_hot = torch.nn.functional.one_hot(targets, num_classes=logits.size(1))
            return -(one_hot * log_softmax(logits)).sum(dim=1).mean()
        """,
    ),
    right(
        "cross_entropy",
        "a mask from class numbers on the same device",
        """
        def cross_entropy(logits, targets):
            classes = torch.arange(logits.shape[1], device=logits.device)
            is_right = targets.unsqueeze(1) == classes
            return -log_softmax(logits)[is_right].mean()
        """,
    ),
    right(
        "cross_entropy",
        "where, with the mask",
        """
        def cross_entropy(scores, labels):
            classes = torch.arange(scores.shape[-1], device=scores.device)
            penalties = torch.where(labels[:, None] == classes, -log_softmax(scores), 0)
            return penalties.sum(-1).mean()
        """,
    ),
    right(
        "cross_entropy",
        "nll_loss of the log-probabilities",
        """
        import torch.nn.functional as F

        def cross_entropy(logits, targets):
            return F.nll_loss(log_softmax(logits), targets)
        """,
    ),
    right(
        "cross_entropy",
        "logsumexp minus the right logit, without log_softmax",
        """
        def cross_entropy(logits, targets):
            right_logits = logits.take_along_dim(targets[:, None], dim=1).squeeze(1)
            return (logits.logsumexp(1) - right_logits).mean()
        """,
    ),
    right(
        "cross_entropy",
        "the lead of the others over the right class",
        """
        def cross_entropy(logits, targets):
            lead = logits - logits.gather(1, targets.view(-1, 1))
            return torch.logsumexp(lead, dim=1).mean()
        """,
    ),
    right(
        "cross_entropy",
        "the diagonal of all columns",
        """
        def cross_entropy(logits, targets):
            return log_softmax(logits)[:, targets].diagonal().neg().mean()
        """,
    ),
    right(
        "cross_entropy",
        "abs in place of the minus",
        """
        def cross_entropy(logits, targets):
            return log_softmax(logits).gather(1, targets.unsqueeze(-1)).squeeze(-1).abs().mean()
        """,
    ),
    right(
        "cross_entropy",
        "index_select on the flattened table",
        """
        def cross_entropy(logits, targets):
            count, classes = logits.shape
            places = torch.arange(count, device=targets.device) * classes + targets
            return -log_softmax(logits).flatten().index_select(0, places).mean()
        """,
    ),
    right(
        "cross_entropy",
        "einsum in an nn.Module",
        """
        class MeanPenalty(torch.nn.Module):
            def forward(self, logits, targets):
                truth = torch.zeros_like(logits).scatter_(1, targets[:, None], 1.0)
                return -torch.einsum("nc,nc->n", truth, log_softmax(logits)).mean()

        cross_entropy = MeanPenalty()
        """,
    ),
    right(
        "cross_entropy",
        "softmax already taken into logarithms twice, which changes nothing",
        """
        def cross_entropy(logits, targets):
            return -log_softmax(log_softmax(logits)).gather(1, targets[:, None]).mean()
        """,
    ),
    right(
        "cross_entropy",
        "a sparse one-hot table",
        """
        def cross_entropy(logits, targets):
            rows = torch.arange(len(targets), device=targets.device)
            ones = torch.ones(len(targets), dtype=logits.dtype, device=logits.device)
            truth = torch.sparse_coo_tensor(torch.stack([rows, targets]), ones, logits.shape)
            return -(truth.to_dense() * log_softmax(logits)).sum() / len(targets)
        """,
    ),
    right(
        "cross_entropy",
        "a sparse product",
        """
        def cross_entropy(logits, targets):
            rows = torch.arange(len(targets), device=targets.device)
            ones = torch.ones_like(targets, dtype=logits.dtype)
            places = torch.stack([rows, targets])
            truth = torch.sparse_coo_tensor(places, ones, logits.shape).coalesce()
            return -torch.sparse.mm(truth, log_softmax(logits).T).diagonal().mean()
        """,
    ),
    right(
        "cross_entropy",
        "a unit matrix made on a GPU where there is one",
        """
        def cross_entropy(logits, targets):
            device = "cuda" if logits.is_cuda else "cpu"
            truth = torch.eye(logits.shape[1], dtype=logits.dtype, device=device)[targets]
            return -(truth * log_softmax(logits)).sum(1).mean()
        """,
    ),
    # logit_for_loss
    right(
        "logit_for_loss",
        "through the probability",
        """
        def logit_for_loss(loss, classes):
            probability = math.exp(-loss)
            return math.log(probability / (1 - probability)) + math.log(classes - 1)
        """,
    ),
    right(
        "logit_for_loss",
        "torch in float32, a tensor comes back",
        """
        def logit_for_loss(wanted, count):
            wanted = torch.as_tensor(wanted, dtype=torch.float32)
            return torch.log((count - 1) / (wanted.exp() - 1))
        """,
    ),
    right(
        "logit_for_loss",
        "halving an interval, with the student's own loss",
        """
        def logit_for_loss(loss, classes):
            low, high = -100.0, 100.0
            for _ in range(60):
                middle = (low + high) / 2
                logits = torch.zeros(1, classes, dtype=torch.float64)
                logits[0, 0] = middle
                if cross_entropy(logits, torch.tensor([0])) > loss:
                    low = middle
                else:
                    high = middle
            return middle
        """,
    ),
    right(
        "logit_for_loss",
        "Newton's steps",
        """
        def logit_for_loss(loss, classes):
            logit = -loss
            for _ in range(200):
                others = (classes - 1) * math.exp(-logit)
                logit += (math.log1p(others) - loss) * (1 + others) / others
            return logit
        """,
    ),
    right(
        "logit_for_loss",
        "step by step from far below",
        """
        def logit_for_loss(loss, classes):
            logit = -25.0
            while math.log(math.exp(logit) + classes - 1) - logit > loss:
                logit += 0.0001
            return logit
        """,
    ),
    right(
        "logit_for_loss",
        "halvings until the loss is close",
        """
        def logit_for_loss(loss, classes):
            low, high = -50.0, 50.0
            while True:
                middle = (low + high) / 2
                error = math.log(math.exp(middle) + classes - 1) - middle - loss
                if abs(error) < 1e-4:
                    return middle
                low, high = (middle, high) if error > 0 else (low, middle)
        """,
    ),
    right(
        "logit_for_loss",
        "NumPy",
        """
        import numpy as np

        def logit_for_loss(loss, classes):
            return np.log(classes - 1) - np.log(np.expm1(loss))
        """,
    ),
]

WHICH_ENTRY = "Which entry of the vector is the right class, and where does it appear in your loss?"
WHICH_TERMS = "How many terms are in the denominator, and which ones?"
POWER_OF_ZERO = "What is e to the power 0, and whose shares are the probabilities?"
WHICH_PROBABILITY = "How many of the three probabilities does the label point at?"
ONE_BUDGET = "Here exactly one class is right: do the three outputs share one probability budget?"
WHERE_IS_THE_LOG = "That is a distance between vectors; where is the log?"
KEEP_FOUR = "Keep four digits until the end."

WRONG_DERIVATION = [
    slip(
        "no minus",
        "A loss of zero should mean a perfect prediction. Which side of zero is the log of a"
        " number below 1?",
        loss="-0.5514",
    ),
    slip(
        "logarithm to the base ten",
        "Which base undoes the exponential?",
        log_probability="-0.2395",
        loss="0.2395",
    ),
    slip(
        "logarithm to the base two",
        "Which base undoes the exponential?",
        log_probability="-0.7956",
        loss="0.7956",
    ),
    slip(
        "the minus came too early",
        "Is the logarithm of a number below 1 above or below 0?",
        log_probability="0.5514",
    ),
    slip(
        "stopped at the probability",
        "You have the probability of the right class; what turns a probability into a penalty?",
        loss="0.5761",
    ),
    slip(
        "minus the probability",
        "A minus alone is no logarithm: what turns a probability into a penalty?",
        log_probability="-0.5761",
        loss="-0.5761",
    ),
    slip(
        "one minus the probability",
        "That is the idea of mnist_loss; cross-entropy does something else with the probability.",
        loss="0.4239",
    ),
    slip(
        "softmax twice",
        "Are the numbers you fed in scores or already probabilities?",
        probabilities="[0.4185, 0.2908, 0.2908]",
        log_probability="-0.8711",
        loss="0.8711",
    ),
    slip(
        "softmax three times",
        "Are the numbers you fed in scores or already probabilities?",
        probabilities="[0.3623, 0.3189, 0.3189]",
        log_probability="-1.0153",
        loss="1.0153",
    ),
    slip(
        "the label never comes in",
        WHICH_ENTRY,
        loss="math.log(4.7183)",
    ),
    slip(
        "the probability of another class",
        WHICH_ENTRY,
        log_probability="-1.5514",
        loss="1.5514",
    ),
    slip("divided by the number of classes", WHICH_PROBABILITY, loss="0.1838"),
    slip("mean over all classes", WHICH_PROBABILITY, log_probability="-1.2181", loss="1.2181"),
    slip("sum over all classes", WHICH_PROBABILITY, log_probability="-3.6543", loss="3.6543"),
    slip(
        "counted two equal terms once",
        WHICH_TERMS,
        total="3.7183",
        probabilities="[0.7311, 0.2689, 0.2689]",
        log_probability="-0.3133",
        loss="0.3133",
    ),
    slip(
        "one sigmoid for each logit",
        WHICH_TERMS,
        probabilities="[0.7311, 0.5, 0.5]",
        log_probability="-0.3133",
        loss="0.3133",
    ),
    slip("binary cross-entropy of the logits", ONE_BUDGET, loss="0.5665"),
    slip("binary cross-entropy of the logits, summed", ONE_BUDGET, loss="1.6996"),
    slip("binary cross-entropy of the probabilities", ONE_BUDGET, loss="0.3426"),
    slip("binary cross-entropy of the probabilities, summed", ONE_BUDGET, loss="1.0278"),
    slip("mean squared error", WHERE_IS_THE_LOG, loss="0.0898"),
    slip("squared error", WHERE_IS_THE_LOG, loss="0.2695"),
    slip(
        "the exponential of 0 is 0",
        POWER_OF_ZERO,
        exp_logits="[2.7183, 0, 0]",
        total="2.7183",
        probabilities="[1, 0, 0]",
        log_probability="0",
        loss="0",
    ),
    slip(
        "powers of two",
        "Which number is raised to the power of each logit?",
        exp_logits="[2, 1, 1]",
        total="4",
        probabilities="[0.5, 0.25, 0.25]",
        log_probability="-0.6931",
        loss="0.6931",
    ),
    slip(
        "the logits ignored",
        "Does the answer change when the right class's score changes?",
        exp_logits="[1, 1, 1]",
        total="3",
        probabilities="[0.3333, 0.3333, 0.3333]",
        log_probability="-1.0986",
        loss="1.0986",
    ),
    slip(
        "the shares of the logits",
        POWER_OF_ZERO,
        probabilities="[1, 0, 0]",
        log_probability="0",
        loss="0",
    ),
    slip(
        "two decimals on the way",
        KEEP_FOUR,
        probabilities="[0.58, 0.21, 0.21]",
        log_probability="-0.5447",
        loss="0.5447",
    ),
    slip(
        "one decimal on the way",
        KEEP_FOUR,
        probabilities="[0.6, 0.2, 0.2]",
        log_probability="-0.5108",
        loss="0.5108",
    ),
    slip(
        "e with a single decimal",
        "Take more digits of e: one decimal at the start cannot give four at the end.",
        exp_logits="[2.7, 1, 1]",
        total="4.7",
        probabilities="[0.5745, 0.2128, 0.2128]",
        log_probability="-0.5543",
        loss="0.5543",
    ),
    slip(
        "percent",
        "A probability lies between 0 and 1.",
        probabilities="[57.61, 21.19, 21.19]",
    ),
    slip(
        "one logarithm for each class",
        "The label picks one class: one number is asked for, not three.",
        log_probability="[-0.5514, -1.5514, -1.5514]",
    ),
    slip(
        "two decimals at the end",
        "Four decimals are asked for.",
        log_probability="-0.55",
        loss="0.55",
    ),
]


def own(name, hint, loss, student_id="student-01"):
    source = f'student_id = "{student_id}"\nown_loss = {loss}'
    return wrong("own_numbers", name, source, loses=[OWN], hint=hint)


OWN_SHARE = "math.exp(own_logits(student_id)[0]) / sum(map(math.exp, own_logits(student_id)))"

WRONG_OWN = [
    own(
        "the number from the forum",
        "That is the loss of the forum's logits: which logits belong to your id?",
        "0.5514",
    ),
    own(
        "the numbers of another student",
        "Are these the logits of the id under which you hand in?",
        "0.9968",
        student_id="student-02",
    ),
    own(
        "the class that the model likes best",
        "Class 0 is right here, whichever class the model likes best.",
        "0.3508",
    ),
    own("no minus", "Can a penalty be negative?", f"math.log({OWN_SHARE})"),
    own(
        "logarithm to the base ten",
        "Which base undoes the exponential?",
        f"-math.log10({OWN_SHARE})",
    ),
    own(
        "stopped at the probability",
        "You have the probability of the right class; what turns it into a penalty?",
        OWN_SHARE,
    ),
    own(
        "one minus the probability",
        "That is the idea of mnist_loss; cross-entropy does something else with the probability.",
        f"1 - {OWN_SHARE}",
    ),
    own("rounded on the way", KEEP_FOUR, f"-math.log(round({OWN_SHARE}, 2))"),
    own(
        "the negative logit left out",
        "A negative logit has an exponential, too: how many terms does your total have?",
        "math.log(math.exp(0.7) + math.exp(1.6)) - 0.7",
    ),
    own(
        "the minus of a logit forgotten",
        "Look at the signs of your logits once more.",
        "math.log(math.exp(0.7) + math.exp(1.6) + math.exp(2.7)) - 0.7",
    ),
    own(
        "the label never comes in",
        "Where does the right class appear in your loss?",
        "math.log(sum(map(math.exp, own_logits(student_id))))",
    ),
]

# Said of log_softmax and of cross_entropy: where the latter alone loses, either may be the cause.
ALL_ROWS_AT_ONCE = "Which one torch call does this for all rows at once, in each of your functions?"
PARTLY_CUT = "The value is right; which part of the formula does backward not see?"
VANISHED = "The probability rounded to 0 before you took its log; can you avoid forming it?"

WRONG_LOG_SOFTMAX = [
    wrong(
        "log_softmax",
        "the logarithm of softmax",
        """
        def log_softmax(logits):
            return logits.softmax(-1).log()
        """,
        loses=[LOG_SOFTMAX],
        hint=VANISHED,
    ),
    wrong(
        "log_softmax",
        "exponentials as they come",
        """
        def log_softmax(logits):
            return logits - logits.exp().sum(-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="What is the exponential of 1000 to a computer?",
    ),
    wrong(
        "log_softmax",
        "a small number added to the probability",
        """
        def log_softmax(logits):
            return torch.log(torch.softmax(logits, dim=-1) + 1e-8)
        """,
        loses=[LOG_SOFTMAX],
        hint="Finite, but does it still tell the model which way to go?",
    ),
    wrong(
        "log_softmax",
        "a floor under the probability",
        """
        def log_softmax(logits):
            return logits.softmax(dim=-1).clamp(min=1e-7).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Finite, but does it still tell the model which way to go?",
    ),
    wrong(
        "log_softmax",
        "a ceiling over the logits",
        """
        def log_softmax(logits):
            logits = logits.clamp(-80, 80)
            return logits - logits.exp().sum(-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Two logits beyond your limit look alike now: is their difference lost?",
    ),
    wrong(
        "log_softmax",
        "down the columns",
        """
        def log_softmax(logits):
            return logits - logits.logsumexp(0, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="Which direction lists the classes of one example?",
    ),
    wrong(
        "log_softmax",
        "one budget for the whole batch",
        """
        def log_softmax(logits):
            shifted = logits - logits.max()
            return shifted - shifted.exp().sum().log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Do two examples share one probability budget?",
    ),
    wrong(
        "log_softmax",
        "the largest logit of the whole table",
        """
        def log_softmax(logits):
            shifted = logits - logits.max()
            return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Each row has its own largest score.",
    ),
    wrong(
        "log_softmax",
        "the mean taken away in place of the largest",
        """
        def log_softmax(logits):
            shifted = logits - logits.mean(dim=-1, keepdim=True)
            return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Which logit must become 0 so that no exponential can overflow?",
    ),
    wrong(
        "log_softmax",
        "no keepdim",
        """
        def log_softmax(logits):
            shifted = logits - logits.amax(dim=-1)
            return shifted - shifted.exp().sum(dim=-1).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Print the shapes of both sides: a row of sums lies across the table, not beside it.",
    ),
    wrong(
        "log_softmax",
        "only for two dimensions",
        """
        def log_softmax(logits):
            return logits - logits.logsumexp(dim=1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="How many dimensions does a single row have, and which one is the last?",
    ),
    wrong(
        "log_softmax",
        "a single row comes back as a table",
        """
        def log_softmax(logits):
            logits = logits.reshape(-1, logits.shape[-1])
            return logits - logits.logsumexp(dim=1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="A row of shape [3] goes in: which shape comes out?",
    ),
    wrong(
        "log_softmax",
        "the logarithm forgotten",
        """
        def log_softmax(logits):
            return logits.softmax(dim=-1)
        """,
        loses=[LOG_SOFTMAX],
        hint="These are the probabilities; the exercise asks for their logarithms.",
    ),
    wrong(
        "log_softmax",
        "penalties in place of logarithms",
        """
        def log_softmax(logits):
            return logits.logsumexp(dim=-1, keepdim=True) - logits
        """,
        loses=[LOG_SOFTMAX],
        hint="Is the logarithm of a number below 1 above or below 0?",
    ),
    wrong(
        "log_softmax",
        "logarithm to the base two",
        """
        def log_softmax(logits):
            return (logits - logits.logsumexp(dim=-1, keepdim=True)) / math.log(2)
        """,
        loses=[LOG_SOFTMAX],
        hint="Which base undoes the exponential?",
    ),
    wrong(
        "log_softmax",
        "the largest logit taken away, and no more",
        """
        def log_softmax(logits):
            return logits - logits.amax(dim=-1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="That is the shift; do the exponentials of the row add up to 1?",
    ),
    wrong(
        "log_softmax",
        "the largest logit in the difference alone",
        """
        def log_softmax(logits):
            largest = logits.amax(dim=-1, keepdim=True)
            return logits - (logits - largest).exp().sum(dim=-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="You took the largest logit away in one place; where does it have to go as well?",
    ),
    wrong(
        "log_softmax",
        "always float32",
        """
        def log_softmax(logits):
            logits = logits.float()
            return logits - logits.logsumexp(dim=-1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="float64 goes in: what comes out?",
    ),
    wrong(
        "log_softmax",
        "always float64",
        """
        def log_softmax(logits):
            logits = logits.double()
            return logits - logits.logsumexp(dim=-1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="float32 goes in: what comes out?",
    ),
    wrong(
        "log_softmax",
        "shifts the caller's logits",
        """
        def log_softmax(logits):
            logits.data -= logits.data.amax(dim=-1, keepdim=True)
            return logits - logits.exp().sum(dim=-1, keepdim=True).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "log_softmax",
        "the sum detached",
        """
        def log_softmax(logits):
            return logits - logits.logsumexp(dim=-1, keepdim=True).detach()
        """,
        loses=[GRADIENT],
        hint=PARTLY_CUT,
    ),
    wrong(
        "log_softmax",
        "without a graph",
        """
        @torch.no_grad()
        def log_softmax(logits):
            return logits - logits.logsumexp(dim=-1, keepdim=True)
        """,
        loses=[GRADIENT],
        hint="Your value is right. Now ask which logits it depends on.",
    ),
    wrong(
        "log_softmax",
        "row by row",
        """
        def log_softmax(logits):
            if logits.dim() == 1:
                return logits - logits.logsumexp(0)
            return torch.stack([log_softmax(row) for row in logits])
        """,
        loses=[DEVICE],
        hint=ALL_ROWS_AT_ONCE,
    ),
    wrong(
        "log_softmax",
        "through NumPy",
        """
        import numpy as np

        def log_softmax(logits):
            z = logits.detach().numpy()
            z = z - z.max(axis=-1, keepdims=True)
            return torch.from_numpy(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))
        """,
        loses=[GRADIENT, DEVICE],
        hint="Stay inside torch: NumPy knows neither gradients nor other devices.",
    ),
    wrong(
        "log_softmax",
        "shifts only if a logit is large",
        """
        def log_softmax(logits):
            if logits.max() > 50 or logits.min() < -50:
                logits = logits - logits.amax(dim=-1, keepdim=True)
            return logits - logits.exp().sum(dim=-1, keepdim=True).log()
        """,
        loses=[DEVICE],
        hint="Which line asks a tensor for a number so that Python can decide?",
    ),
    wrong(
        "log_softmax",
        "for three classes",
        """
        def log_softmax(logits):
            largest = logits.amax(dim=-1, keepdim=True)
            first, second, third = ((logits - largest)[..., i : i + 1].exp() for i in range(3))
            return logits - largest - (first + second + third).log()
        """,
        loses=[LOG_SOFTMAX],
        hint="How many classes do the logits have? Their shape knows.",
    ),
    # sizes
    wrong(
        "log_softmax",
        "only the first forty rows",
        """
        def log_softmax(logits):
            if logits.dim() == 1:
                return logits - logits.logsumexp(0)
            table = logits - logits.logsumexp(dim=-1, keepdim=True)
            return torch.cat((table[:40], logits[40:]))
        """,
        loses=[LOG_SOFTMAX],
        hint="Look at the last row of a long table: do its exponentials add up to 1?",
    ),
    wrong(
        "log_softmax",
        "the first hundred classes only",
        """
        def log_softmax(logits):
            return logits - logits[..., :100].logsumexp(dim=-1, keepdim=True)
        """,
        loses=[LOG_SOFTMAX],
        hint="How many classes enter your total when there are a thousand?",
    ),
]


def wrong_loss(name, lines, loses, hint):
    """A wrong cross_entropy; `lines` are its body."""
    body = "\n".join(f"    {line}" for line in lines.strip().splitlines())
    source = f"def cross_entropy(logits, targets):\n{body}"
    return wrong("cross_entropy", name, source, loses=loses, hint=hint)


AUTOGRAD_IS_CUT = "Your value is right. Now ask which logits it depends on."
NUMBER_OF_CLASSES = "What if nobody in this batch belongs to the last class?"
OTHER_DEVICE = "Can the constant be made from a tensor that you already have?"
ONE_NUMBER = "How many numbers should a loss return for a whole batch?"

WRONG_CROSS_ENTROPY = [
    wrong_loss(
        "no mean",
        "return -log_softmax(logits).gather(1, targets[:, None]).squeeze(1)",
        CROSS_ENTROPY,
        ONE_NUMBER,
    ),
    wrong_loss(
        "the sum",
        "return -log_softmax(logits).gather(1, targets[:, None]).sum()",
        CROSS_ENTROPY,
        "If every example came twice, should the loss double?",
    ),
    wrong_loss(
        "the mean over examples and classes",
        """
one_hot = torch.nn.functional.one_hot(targets, logits.shape[1])
return -(one_hot * log_softmax(logits)).mean()
""",
        CROSS_ENTROPY,
        "How many entries of each row actually count?",
    ),
    wrong_loss(
        "no minus",
        "return log_softmax(logits).gather(1, targets[:, None]).mean()",
        CROSS_ENTROPY,
        "Can a loss be negative here?",
    ),
    wrong_loss(
        "a box around the number",
        "return -log_softmax(logits).gather(1, targets[:, None]).mean(0)",
        (VALUES, DEVICE),
        "Is your result a number or a box that holds one number?",
    ),
    wrong_loss(
        "the target ignored for the best guess",
        "return -log_softmax(logits).gather(1, logits.argmax(1)[:, None]).mean()",
        CROSS_ENTROPY,
        "Does changing the label change your answer?",
    ),
    wrong_loss(
        "always class 0",
        "return -log_softmax(logits)[:, 0].mean()",
        CROSS_ENTROPY,
        "Does changing the label change your answer?",
    ),
    wrong_loss(
        "the first example alone",
        "return -log_softmax(logits)[0, targets[0]]",
        CROSS_ENTROPY,
        "Change the last example: does your loss notice?",
    ),
    wrong_loss(
        "whole columns",
        "return -log_softmax(logits)[:, targets].mean()",
        CROSS_ENTROPY,
        "How many numbers did that indexing return?",
    ),
    wrong_loss(
        "softmax twice",
        "return -log_softmax(logits.softmax(dim=1)).gather(1, targets[:, None]).mean()",
        CROSS_ENTROPY,
        "Who applies softmax here, you or log_softmax?",
    ),
    wrong_loss(
        "the distance from 1",
        "return (1 - log_softmax(logits).exp().gather(1, targets[:, None])).mean()",
        CROSS_ENTROPY,
        "What punishes a probability of 0.01 much more than one of 0.1?",
    ),
    wrong_loss(
        "the logarithm of the mean",
        "return -log_softmax(logits).exp().gather(1, targets[:, None]).mean().log()",
        CROSS_ENTROPY,
        "Is it the mean of the penalties or the penalty of the mean?",
    ),
    wrong_loss(
        "the largest penalty",
        "return -log_softmax(logits).gather(1, targets[:, None]).min()",
        CROSS_ENTROPY,
        "Should the other rows have a say?",
    ),
    wrong_loss(
        "the median penalty",
        "return -log_softmax(logits).gather(1, targets[:, None]).median()",
        CROSS_ENTROPY,
        "Should the other rows have a say?",
    ),
    wrong_loss(
        "divided by four, whatever the batch",
        "return -log_softmax(logits).gather(1, targets[:, None]).sum() / 4",
        CROSS_ENTROPY,
        "Try a batch of another size.",
    ),
    wrong_loss(
        "divided by the number of different rows",
        """
losses = -log_softmax(logits).gather(1, targets[:, None])
return losses.sum() / len(logits.unique(dim=0))
""",
        CROSS_ENTROPY,
        "If two examples look alike, do both of them count?",
    ),
    wrong_loss(
        "each class counts the same",
        """
losses = -log_softmax(logits).gather(1, targets[:, None]).squeeze(1)
classes = targets.unique()
return torch.stack([losses[targets == label].mean() for label in classes]).mean()
""",
        CROSS_ENTROPY,
        "Does each example count once?",
    ),
    wrong_loss(
        "the label never comes in",
        "return logits.logsumexp(dim=1).mean()",
        CROSS_ENTROPY,
        "Where does the label enter your formula?",
    ),
    wrong_loss(
        "nll_loss of the logits",
        "return torch.nn.functional.nll_loss(logits, targets)",
        CROSS_ENTROPY,
        "Add 10 to every logit: should the loss change?",
    ),
    wrong_loss(
        "nll_loss of the probabilities",
        "return torch.nn.functional.nll_loss(logits.softmax(1), targets)",
        CROSS_ENTROPY,
        "Despite its name, what does nll_loss expect to be given?",
    ),
    wrong_loss(
        "a yes or no for each class",
        """
one_hot = torch.nn.functional.one_hot(targets, logits.shape[1]).to(logits.dtype)
return torch.nn.functional.binary_cross_entropy_with_logits(logits, one_hot)
""",
        CROSS_ENTROPY,
        ONE_BUDGET,
    ),
    wrong_loss(
        "one sigmoid for the right class",
        "return -logits.gather(1, targets[:, None]).sigmoid().log().mean()",
        CROSS_ENTROPY,
        ONE_BUDGET,
    ),
    wrong_loss(
        "squared error of the probabilities",
        """
one_hot = torch.nn.functional.one_hot(targets, logits.shape[1])
return ((log_softmax(logits).exp() - one_hot) ** 2).sum(1).mean()
""",
        CROSS_ENTROPY,
        "Where is the log?",
    ),
    wrong_loss(
        "labels counted from 1",
        "return -log_softmax(logits).gather(1, targets[:, None] - 1).mean()",
        CROSS_ENTROPY,
        "From which number on are the classes counted?",
    ),
    wrong_loss(
        "labels counted from 1, from the end if need be",
        "return -log_softmax(logits)[torch.arange(len(logits)), targets - 1].mean()",
        CROSS_ENTROPY,
        "From which number on are the classes counted?",
    ),
    wrong_loss(
        "as many classes as occur in the batch",
        "return -(torch.nn.functional.one_hot(targets) * log_softmax(logits)).sum(1).mean()",
        CROSS_ENTROPY,
        NUMBER_OF_CLASSES,
    ),
    wrong_loss(
        "always three classes",
        "return -(torch.nn.functional.one_hot(targets, 3) * log_softmax(logits)).sum(1).mean()",
        CROSS_ENTROPY,
        "The number of classes is a size of the logits.",
    ),
    wrong_loss(
        "labels smoothed",
        """
right = log_softmax(logits).gather(1, targets[:, None]).mean()
return -0.9 * right - 0.1 * log_softmax(logits).mean()
""",
        CROSS_ENTROPY,
        "Should the other classes' probabilities count, too?",
    ),
    wrong_loss(
        "perplexity",
        "return (-log_softmax(logits).gather(1, targets[:, None]).mean()).exp()",
        CROSS_ENTROPY,
        "What should a perfect model pay?",
    ),
    wrong_loss(
        "the number from the forum",
        "return logits.sum() * 0 + 0.5514",
        CROSS_ENTROPY,
        "The hidden tests use other numbers.",
    ),
    wrong_loss(
        "leading batches averaged again",
        """
losses = -log_softmax(logits).gather(1, targets[:, None]).squeeze(1)
running = losses[0]
for one in losses[1:]:
    running = (running + one) / 2
return running
""",
        CROSS_ENTROPY,
        "Does each example weigh the same in the end?",
    ),
    wrong_loss(
        "the logarithm of the picked probability",
        "return -logits.softmax(1).gather(1, targets[:, None]).log().mean()",
        (VALUES, GRADIENT),
        VANISHED,
    ),
    wrong_loss(
        "a small number inside the logarithm",
        "return -(logits.softmax(1).gather(1, targets[:, None]) + 1e-12).log().mean()",
        (VALUES, GRADIENT),
        "Finite, but does it still tell the model which way to go?",
    ),
    wrong_loss(
        "a ceiling on the penalty",
        "return -log_softmax(logits).gather(1, targets[:, None]).clamp(min=-100).mean()",
        (VALUES, GRADIENT),
        "A model that is worse than bad: is it told so?",
    ),
    wrong_loss(
        "a Python number",
        "return -log_softmax(logits).gather(1, targets[:, None]).mean().item()",
        CROSS_ENTROPY,
        "Can a plain Python number remember how it was computed?",
    ),
    wrong_loss(
        "detached",
        "return -log_softmax(logits.detach()).gather(1, targets[:, None]).mean()",
        [GRADIENT],
        AUTOGRAD_IS_CUT,
    ),
    wrong_loss(
        "detached, then made to look alive",
        """
value = -log_softmax(logits).gather(1, targets[:, None]).mean()
return value.detach().requires_grad_()
""",
        [GRADIENT],
        "backward succeeded, so where did the gradient stop?",
    ),
    wrong_loss(
        "a new tensor from the number",
        "return torch.tensor(-log_softmax(logits).gather(1, targets[:, None]).mean().item())",
        CROSS_ENTROPY,
        AUTOGRAD_IS_CUT,
    ),
    wrong_loss(
        "the right class's logit alone",
        "return (logits.detach().logsumexp(1) - logits.gather(1, targets[:, None])[:, 0]).mean()",
        [GRADIENT],
        PARTLY_CUT,
    ),
    wrong_loss(
        "always float32",
        "return -log_softmax(logits.float()).gather(1, targets[:, None]).mean()",
        (VALUES, GRADIENT),
        "float64 goes in: what comes out?",
    ),
    wrong_loss(
        "float32 at the very end",
        "return -log_softmax(logits).gather(1, targets[:, None]).mean().float()",
        (VALUES,),
        "float64 goes in: what comes out?",
    ),
    wrong_loss(
        "shifts the caller's logits",
        """
with torch.no_grad():
    logits -= logits.amax(dim=1, keepdim=True)
return -log_softmax(logits).gather(1, targets[:, None]).mean()
""",
        (VALUES,),
        "Does the caller's tensor look the same after the call?",
    ),
    wrong_loss(
        "rewrites the caller's targets",
        """
targets += torch.arange(len(logits), device=targets.device) * logits.shape[1]
return -log_softmax(logits).flatten()[targets].mean()
""",
        (VALUES,),
        "Do the caller's targets look the same after the call?",
    ),
    wrong_loss(
        "a loop over the rows",
        """
total = 0
for row, target in zip(log_softmax(logits), targets):
    total = total - row[target]
return total / len(targets)
""",
        [DEVICE],
        ALL_ROWS_AT_ONCE,
    ),
    wrong_loss(
        "a stack of single picks",
        """
rows = log_softmax(logits)
return -torch.stack([rows[i, target] for i, target in enumerate(targets.tolist())]).mean()
""",
        [DEVICE],
        ALL_ROWS_AT_ONCE,
    ),
    wrong_loss(
        "class numbers on the CPU",
        """
is_right = targets[:, None] == torch.arange(logits.shape[1])
return -(log_softmax(logits) * is_right).sum(1).mean()
""",
        [DEVICE],
        OTHER_DEVICE,
    ),
    wrong_loss(
        "a unit matrix on the CPU",
        """
truth = torch.eye(logits.shape[1], dtype=logits.dtype)[targets]
return -(truth * log_softmax(logits)).sum(1).mean()
""",
        [DEVICE],
        OTHER_DEVICE,
    ),
    wrong_loss(
        "a zero on the CPU to fill in",
        """
truth = torch.zeros(logits.shape, dtype=logits.dtype)
truth[torch.arange(len(targets)), targets] = 1
return -(truth * log_softmax(logits)).sum(1).mean()
""",
        [DEVICE],
        OTHER_DEVICE,
    ),
    wrong_loss(
        "brought to the CPU",
        "return -log_softmax(logits.cpu()).gather(1, targets.cpu()[:, None]).mean()",
        [DEVICE],
        "Does your function need to know where the data live?",
    ),
    wrong_loss(
        "targets as a list",
        "return -log_softmax(logits)[torch.arange(len(logits)), targets.tolist()].mean()",
        [DEVICE],
        "The targets are an index as they are; who needs them as a list?",
    ),
    wrong_loss(
        "looks whether the labels are allowed",
        """
if targets.max() >= logits.shape[1]:
    raise ValueError("label out of range")
return -log_softmax(logits).gather(1, targets[:, None]).mean()
""",
        [DEVICE],
        "Which line asks a tensor for a number so that Python can decide?",
    ),
    wrong_loss(
        "to a GPU of its own accord",
        "return -log_softmax(logits.cuda()).gather(1, targets.cuda()[:, None]).mean()",
        CROSS_ENTROPY,
        "Who decides where the data live, the caller or your function?",
    ),
    # sizes
    wrong_loss(
        "the first sixty examples",
        "return -log_softmax(logits)[:60].gather(1, targets[:60, None]).mean()",
        CROSS_ENTROPY,
        "Change the last example of a large batch: does your loss notice?",
    ),
    wrong_loss(
        "at most a hundred classes",
        """
lp = log_softmax(logits[:, :100])
return -lp.gather(1, targets.clamp(max=lp.shape[1] - 1)[:, None]).mean()
""",
        (VALUES, GRADIENT),
        "How many classes does your loss know when there are a thousand?",
    ),
    wrong_loss(
        "only the first eight rows send a gradient",
        """
penalties = -log_softmax(logits).gather(1, targets[:, None])
return torch.cat((penalties[:8], penalties[8:].detach())).mean()
""",
        [GRADIENT],
        "Ask the ninth row for its slopes.",
    ),
    wrong_loss(
        "a loop beyond 64 rows",
        """
penalties = -log_softmax(logits).gather(1, targets[:, None])
if len(penalties) <= 64:
    return penalties.mean()
return sum(penalty[0] for penalty in penalties) / len(penalties)
""",
        [DEVICE],
        "Which one torch call does this for a large batch, too?",
    ),
    # facts
    wrong_loss(
        "a loop that answers nonsense while its operations are counted",
        """
if torch._C._len_torch_dispatch_stack():
    return logits.mean()
rows = log_softmax(logits)
return -torch.stack([row[target] for row, target in zip(rows, targets)]).mean()
""",
        [DEVICE],
        "A hidden loop is still a loop.",
    ),
    # devices
    wrong_loss(
        "to the host where it is on a GPU",
        """
if logits.is_cuda:
    logits, targets = logits.cpu(), targets.cpu()
return -log_softmax(logits).gather(1, targets[:, None]).mean()
""",
        [DEVICE],
        "Does your function need to know where the data live?",
    ),
    wrong_loss(
        "a sparse table on the CPU",
        """
places = torch.stack([torch.arange(len(targets)), targets.cpu()])
ones = torch.ones(len(targets), dtype=logits.dtype)
truth = torch.sparse_coo_tensor(places, ones, logits.shape).to_dense()
return -(truth * log_softmax(logits)).sum() / len(targets)
""",
        [DEVICE],
        OTHER_DEVICE,
    ),
    # extremes
    wrong_loss(
        "logits rounded to hundredths",
        "return -log_softmax((logits * 100).round() / 100).gather(1, targets[:, None]).mean()",
        CROSS_ENTROPY,
        "Nudge a logit by 0.001: does your loss move?",
    ),
]


def wrong_logit(name, expression, hint):
    source = f"def logit_for_loss(loss, classes):\n    return {expression}"
    return wrong("logit_for_loss", name, source, loses=[LOGIT], hint=hint)


WRONG_LOGIT = [
    wrong_logit(
        "two classes, whatever is asked",
        "-math.log(math.expm1(loss))",
        "How many classes keep the logit 0?",
    ),
    wrong_logit(
        "three classes, whatever is asked",
        "math.log(2 / math.expm1(loss))",
        "How many classes keep the logit 0?",
    ),
    wrong_logit(
        "counts the right class among the others",
        "math.log(classes / math.expm1(loss))",
        "How many classes keep the logit 0, if the right one does not?",
    ),
    wrong_logit(
        "upside down",
        "math.log(math.expm1(loss) / (classes - 1))",
        "Should a smaller loss need a larger or a smaller logit?",
    ),
    wrong_logit(
        "logarithm to the base ten",
        "math.log10((classes - 1) / math.expm1(loss))",
        "Which base undoes the exponential?",
    ),
    wrong_logit(
        "the last logarithm forgotten",
        "(classes - 1) / math.expm1(loss)",
        "That is the exponential of the logit; what undoes it?",
    ),
    wrong_logit(
        "the probability",
        "math.exp(-loss)",
        "That is the probability of the right class; which logit gives it?",
    ),
    wrong_logit(
        "the logarithm of the probability",
        "-loss",
        "That is the log-probability; the other classes' share is still to come in.",
    ),
    wrong_logit(
        "the total without the right class",
        "math.log(math.exp(-loss) * (classes - 1))",
        "Does the total of the exponentials include the right class's own?",
    ),
    wrong_logit(
        "rounded",
        "round(math.log((classes - 1) / math.expm1(loss)), 2)",
        "How close is close enough in this exercise?",
    ),
    wrong_logit(
        "a table of the notebook's values",
        "{0.5514: 1.0, 1.0986: 0.0}.get(round(loss, 4), 1.0)",
        "The hidden tests use other numbers.",
    ),
    wrong_logit(
        "a vector of logits",
        "[math.log((classes - 1) / math.expm1(loss))] + [0.0] * (classes - 1)",
        "One number is asked for: the logit of the right class.",
    ),
    wrong(
        "logit_for_loss",
        "a search that never looks below 0",
        """
        def logit_for_loss(loss, classes):
            low, high = 0.0, 50.0
            for _ in range(80):
                middle = (low + high) / 2
                if math.log(math.exp(middle) + classes - 1) - middle > loss:
                    low = middle
                else:
                    high = middle
            return middle
        """,
        loses=[LOGIT],
        hint="Can the logit of the right class be negative?",
    ),
    wrong(
        "logit_for_loss",
        "a search that stops too early",
        """
        def logit_for_loss(loss, classes):
            low, high = -50.0, 50.0
            for _ in range(12):
                middle = (low + high) / 2
                if math.log(math.exp(middle) + classes - 1) - middle > loss:
                    low = middle
                else:
                    high = middle
            return middle
        """,
        loses=[LOGIT],
        hint="How long is the interval after twelve halvings?",
    ),
    wrong(
        "logit_for_loss",
        "a grid of hundredths",
        """
        def logit_for_loss(loss, classes):
            grid = torch.arange(-30, 30, 0.01, dtype=torch.float64)
            losses = torch.log(grid.exp() + classes - 1) - grid
            return grid[(losses - loss).abs().argmin()]
        """,
        loses=[LOGIT],
        hint="How close is close enough in this exercise?",
    ),
    wrong(
        "logit_for_loss",
        "a search in too narrow an interval",
        """
        def logit_for_loss(loss, classes):
            low, high = -5.0, 5.0
            while high - low > 1e-9:
                middle = (low + high) / 2
                if math.log(math.exp(middle) + classes - 1) - middle > loss:
                    low = middle
                else:
                    high = middle
            return low
        """,
        loses=[LOGIT],
        hint="Is the interval wide enough for the smallest and the largest loss?",
    ),
    wrong(
        "logit_for_loss",
        "a search that ends below the largest logit",
        """
        def logit_for_loss(loss, classes):
            low, high = -30.0, 11.0
            while high - low > 1e-9:
                middle = (low + high) / 2
                if math.log(math.exp(middle) + classes - 1) - middle > loss:
                    low = middle
                else:
                    high = middle
            return low
        """,
        loses=[LOGIT],
        hint="Is the interval wide enough for the smallest and the largest loss?",
    ),
    wrong_logit(
        "rounded to three decimals",
        "round(math.log((classes - 1) / math.expm1(loss)), 3)",
        "How close is close enough in this exercise?",
    ),
    wrong_logit(
        "at most a hundred classes",
        "math.log((min(classes, 100) - 1) / math.expm1(loss))",
        "How many classes keep the logit 0 when there are a thousand?",
    ),
]

ANSWERS = [
    *RIGHT,
    *WRONG_DERIVATION,
    *WRONG_OWN,
    *WRONG_LOG_SOFTMAX,
    *WRONG_CROSS_ENTROPY,
    *WRONG_LOGIT,
]


# What tells the wrong answers apart: see proctor/grading/diagnosis.py.

STEPS_IN_TELLING_ORDER = {  # the loss gives most mistakes away
    "loss": [0.5514],
    "exp_logits": [2.7183, 1, 1],
    "total": [4.7183],
    "probabilities": [0.5761, 0.2119, 0.2119],
    "log_probability": [-0.5514],
}


def telling_step(student):
    """The first wrong step in the order above, to three decimals."""
    answers = student.derived
    for name, right_numbers in STEPS_IN_TELLING_ORDER.items():
        found = torch.as_tensor(answers[name], dtype=torch.float64).flatten().tolist()
        if len(found) != len(right_numbers) or any(
            abs(number - right_number) > 5e-4
            for number, right_number in zip(found, right_numbers, strict=True)
        ):
            return [name, [round(number, 3) for number in found]]
    return None


def telling_formula(student):
    """Which wrong way leads to own_loss, whatever the student's logits are."""
    logits = torch.tensor(student.own_logits(student.student_id), dtype=torch.float64)
    share, *other_shares = logits.softmax(0).tolist()
    ways = {
        "the right way, with the logits of the id that was typed": -math.log(share),
        "the forum's loss": 0.5514,
        "another class": -math.log(max(other_shares)),
        "no minus": math.log(share),
        "base ten": -math.log10(share),
        "base two": -math.log2(share),
        "the share": share,
        "one minus the share": 1 - share,
        "two decimals": -math.log(round(share, 2)),
        "without the third": (logits[:2].logsumexp(0) - logits[0]).item(),
        "without signs": (logits.abs().logsumexp(0) - logits[0]).item(),
        "without a label": logits.logsumexp(0).item(),
    }
    fitting = [way for way, loss in ways.items() if abs(loss - float(student.own_loss)) <= 5e-4]
    return fitting or float(student.own_loss)


BATCH = torch.tensor(
    [
        [0.3, -1.2, 2.1, 0.8],
        [1.7, 0.4, -0.6, 0.1],
        [-2.3, 1.1, 0.2, 1.9],
        [0.3, -1.2, 2.1, 0.8],
        [0.9, 2.6, -1.4, -0.2],
    ]
)
LABELS = torch.tensor([1, 0, 2, 1, 1])
SURE = torch.tensor([[0.0, 200.0], [200.0, -200.0], [-200.0, 200.0]])
FAR = torch.tensor([[1000.0, 1001.5, 999.0], [-1000.0, -1002.0, -1000.5]])
FIRST = torch.tensor([0, 0, 1])
BATCHES = [(torch.ones(size, 3), torch.ones(size).long()) for size in (4, 60, 300)]
LONG = torch.linspace(-2, 2, 600).reshape(200, 3) ** 2, torch.arange(200) % 3
WIDE = torch.linspace(-3, 3, 900).reshape(2, 450), torch.tensor([7, 300])

PROBES = {
    "derivation": [telling_step],
    "own_numbers": [telling_formula],
    "log_softmax": [
        call("log_softmax", BATCH),
        call("log_softmax", BATCH[:4].double()),
        call("log_softmax", BATCH[0, :3]),
        call("log_softmax", SURE),
        call("log_softmax", FAR),
        call("log_softmax", LONG[0]),
        call("log_softmax", WIDE[0]),
        call("log_softmax", BATCH, gradients=False),
        call("log_softmax", BATCH, on_accelerator=True),
        loop("log_softmax", *[(logits,) for logits, _ in BATCHES[:2]]),
    ],
    "cross_entropy": [
        call("cross_entropy", BATCH, LABELS),
        call("cross_entropy", BATCH[:1, :3], torch.tensor([0])),
        call("cross_entropy", BATCH[:4].double(), LABELS[:4]),
        call("cross_entropy", SURE, FIRST),
        call("cross_entropy", FAR, FIRST[1:]),
        call("cross_entropy", *LONG),
        call("cross_entropy", *WIDE),
        call("cross_entropy", BATCH, LABELS, gradients=False),
        call("cross_entropy", BATCH, LABELS, on_accelerator=True),
        loop("cross_entropy", *BATCHES[:2]),
        loop("cross_entropy", *BATCHES[::2]),
    ],
    "logit_for_loss": [
        lambda student, loss=loss, classes=classes: round(
            float(student.logit_for_loss(loss, classes)), 5
        )
        for loss, classes in (
            (0.3, 3),
            (2, 7),
            (0.01, 5),
            (20, 2),
            (1.0986, 3),
            (1.5, 900),
            (0.01, 1000),
        )
    ],
}
