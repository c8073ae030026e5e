"""Labelled answers: right ones must get full marks, wrong ones must lose where they say."""

import torch

from proctor.authoring import call, right, wrong

ANSWERS = [
    right(
        "attention",
        "by einsum",
        """
        def attention(query, key, value, mask=None):
            scores = torch.einsum("...ld,...sd->...ls", query, key) * query.shape[-1] ** -0.5
            if mask is not None:
                scores = torch.where(mask, scores, float("-inf"))
            return torch.einsum("...ls,...sv->...lv", scores.softmax(-1), value)
        """,
    ),
    right(
        "attention",
        "torch's own",
        """
        def attention(query, key, value, mask=None):
            own = torch.nn.functional.scaled_dot_product_attention
            return own(query, key, value, attn_mask=mask)
        """,
    ),
    wrong(
        "attention",
        "not scaled",
        """
        def attention(query, key, value, mask=None):
            scores = query @ key.transpose(-2, -1)
            if mask is not None:
                scores = scores.masked_fill(~mask, -math.inf)
            return scores.softmax(dim=-1) @ value
        """,
        loses=["attention_values", "attention_mask", "attention_gradient", "attention_device"],
        hint="How large do the products get when d grows?",
    ),
    wrong(
        "attention",
        "the mask after the softmax",
        """
        def attention(query, key, value, mask=None):
            weights = (query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])).softmax(dim=-1)
            return (weights if mask is None else weights * mask) @ value
        """,
        loses=["attention_mask"],
        hint="What do the weights of a query sum to, once some are hidden?",
    ),
    wrong(
        "attention",
        "a mask of its own on the CPU",
        """
        def attention(query, key, value, mask=None):
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
            if mask is not None:
                hidden = torch.zeros(mask.shape)
                hidden[~mask.cpu()] = -math.inf
                scores = scores + hidden
            return scores.softmax(dim=-1) @ value
        """,
        loses=["attention_device"],
        hint="Where does torch.zeros put its numbers?",
    ),
]

PROBES = {
    "attention": [call("attention", torch.eye(2), torch.eye(2), torch.arange(4.0).reshape(2, 2))],
}
