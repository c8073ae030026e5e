"""Labelled answers: right ones must get full marks, wrong ones must lose where they say."""

from proctor.authoring import right, wrong

ANSWERS = [
    right(
        "layer_norm",
        "by torch's own function",
        """
        class LayerNorm(nn.Module):
            def __init__(self, size, eps=1e-5):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(size))
                self.bias = nn.Parameter(torch.zeros(size))
                self.eps = eps

            def forward(self, x):
                own = self.weight.shape, self.weight, self.bias, self.eps
                return nn.functional.layer_norm(x, *own)
        """,
    ),
    right(
        "layer_norm",
        "a child of torch's own",
        """
        class LayerNorm(nn.LayerNorm):
            pass
        """,
    ),
    wrong(
        "layer_norm",
        "the unbiased variance",
        """
        class LayerNorm(nn.Module):
            def __init__(self, size, eps=1e-5):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(size))
                self.bias = nn.Parameter(torch.zeros(size))
                self.eps = eps

            def forward(self, x):
                variance, mean = torch.var_mean(x, -1, keepdim=True)
                return self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias
        """,
        loses=["layer_norm_values", "layer_norm_parameters"],
        hint="Divide by the number of values, not by one less.",
    ),
    wrong(
        "layer_norm",
        "tensors that nobody learns",
        """
        class LayerNorm(nn.Module):
            def __init__(self, size, eps=1e-5):
                super().__init__()
                self.weight, self.bias, self.eps = torch.ones(size), torch.zeros(size), eps

            def forward(self, x):
                own = self.weight.shape, self.weight, self.bias, self.eps
                return nn.functional.layer_norm(x, *own)
        """,
        loses=["layer_norm_values", "layer_norm_parameters", "network_shape"],
        hint="Only an nn.Parameter is learned.",
    ),
    right(
        "network",
        "a sequence",
        """
        class Network(nn.Sequential):
            def __init__(self, inputs, hidden):
                first, last = nn.Linear(inputs, hidden), nn.Linear(hidden, 1)
                super().__init__(first, LayerNorm(hidden), nn.ReLU(), last)
        """,
    ),
    wrong(
        "network",
        "no ReLU, no norm",
        """
        class Network(nn.Module):
            def __init__(self, inputs, hidden):
                super().__init__()
                self.first, self.norm = nn.Linear(inputs, hidden), LayerNorm(hidden)
                self.last = nn.Linear(hidden, 1)

            def forward(self, x):
                return self.last(self.first(x))
        """,
        loses=["network_learns"],
        hint="Two linear layers in a row are one.",
    ),
    wrong(
        "network",
        "no outer dimension",
        """
        class Network(nn.Module):
            def __init__(self, inputs, hidden):
                super().__init__()
                self.first, self.norm = nn.Linear(inputs, hidden), LayerNorm(hidden)
                self.last = nn.Linear(hidden, 1)

            def forward(self, x):
                return self.last(self.norm(self.first(x)).relu()).squeeze(1)
        """,
        loses=["network_shape", "network_learns"],
        hint="The result keeps a dimension of size 1.",
    ),
]
