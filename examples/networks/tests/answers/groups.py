"""Labelled answers: right ones must get full marks, wrong ones must lose where they say."""

from proctor.authoring import right, wrong

ANSWERS = [
    right(
        "group_means",
        "with NumPy",
        """
        import numpy

        def group_means(rows):
            groups = dict.fromkeys(group for group, _ in rows)
            return {g: numpy.mean([s for h, s in rows if h == g]) for g in groups}
        """,
    ),
    wrong(
        "group_means",
        "sums",
        """
        def group_means(rows):
            sums = {}
            for group, score in rows:
                sums[group] = sums.get(group, 0) + score
            return sums
        """,
        loses=["group_means_values"],
        hint="A sum grows with the number of scores.",
    ),
    wrong(
        "group_means",
        "in alphabetical order",
        """
        def group_means(rows):
            groups = sorted({group for group, _ in rows})
            scores = {g: [s for h, s in rows if h == g] for g in groups}
            return {g: sum(found) / len(found) for g, found in scores.items()}
        """,
        loses=["group_means_values"],
        hint="A dictionary keeps the order in which its keys came.",
    ),
    right(
        "draw_means",
        "the axes, by pyplot",
        """
        def draw_means(means):
            plt.figure()
            plt.bar(range(len(means)), means.values(), tick_label=list(means))
            plt.xlabel("group")
            plt.ylabel("mean")
            return plt.gcf()
        """,
    ),
    wrong(
        "draw_means",
        "without labels",
        """
        def draw_means(means):
            figure, axes = plt.subplots()
            axes.bar(list(means), list(means.values()))
            return figure
        """,
        loses=["draw_means_bars"],
        hint="A reader does not know what a bare number counts.",
    ),
    wrong(
        "draw_means",
        "a line",
        """
        def draw_means(means):
            figure, axes = plt.subplots()
            axes.plot(list(means), list(means.values()))
            axes.set(xlabel="group", ylabel="mean")
            return figure
        """,
        loses=["draw_means_bars"],
        hint="Between two groups there is nothing for a line to show.",
    ),
]
