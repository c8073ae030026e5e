"""Steps of recurrent layers by their formulas, for the pretend accelerator.

Away from the CPU torch calls for each step one operation that has no CPU version. B examples, H
hidden units; the gates of an LSTM have the shape [B, 4H], those of a GRU [B, 3H].
"""

from __future__ import annotations

import torch

aten = torch.ops.aten
Gate = torch.Tensor
Bias = torch.Tensor | None


def lstm_step(input_gates: Gate, hidden_gates: Gate, cell: Gate, *biases: Bias) -> tuple:
    """The new hidden state and cell, and what the backward needs."""
    gates = sum((bias for bias in biases if bias is not None), input_gates + hidden_gates)
    into, keep, new, out = gates.chunk(4, dim=1)
    into, keep, out, new = into.sigmoid(), keep.sigmoid(), out.sigmoid(), new.tanh()
    next_cell = keep * cell + into * new
    return out * next_cell.tanh(), next_cell, torch.cat([into, keep, new, out], dim=1)


def lstm_step_backward(
    above: Gate | None,
    above_cell: Gate | None,
    cell: Gate,
    next_cell: Gate,
    workspace: Gate,
    has_bias: bool,
) -> tuple:
    into, keep, new, out = workspace.chunk(4, dim=1)
    shown = next_cell.tanh()
    above = torch.zeros_like(cell) if above is None else above
    of_cell = above * out * (1 - shown**2)
    if above_cell is not None:
        of_cell = of_cell + above_cell
    of_gates = torch.cat(
        [
            of_cell * new * into * (1 - into),
            of_cell * cell * keep * (1 - keep),
            of_cell * into * (1 - new**2),
            above * shown * out * (1 - out),
        ],
        dim=1,
    )
    return of_gates, of_cell * keep, of_gates.sum(0) if has_bias else None


def gru_step(input_gates: Gate, hidden_gates: Gate, hidden: Gate, *biases: Bias) -> tuple:
    """The new hidden state, and what the backward needs."""
    of_input, of_hidden = (bias if bias is not None else 0 for bias in (*biases, None, None)[:2])
    input_reset, input_update, input_new = (input_gates + of_input).chunk(3, dim=1)
    hidden_reset, hidden_update, hidden_new = (hidden_gates + of_hidden).chunk(3, dim=1)
    reset = (input_reset + hidden_reset).sigmoid()
    update = (input_update + hidden_update).sigmoid()
    new = (input_new + reset * hidden_new).tanh()
    workspace = torch.cat([reset, update, new, hidden, hidden_new], dim=1)
    return new + update * (hidden - new), workspace


def gru_step_backward(above: Gate, workspace: Gate, has_bias: bool) -> tuple:
    reset, update, new, hidden, hidden_new = workspace.chunk(5, dim=1)
    of_new = above * (1 - update) * (1 - new**2)
    of_update = above * (hidden - new) * update * (1 - update)
    of_reset = of_new * hidden_new * reset * (1 - reset)
    of_input = torch.cat([of_reset, of_update, of_new], dim=1)
    of_hidden = torch.cat([of_reset, of_update, of_new * reset], dim=1)
    biases = (of_input.sum(0), of_hidden.sum(0)) if has_bias else (None, None)
    return of_input, of_hidden, above * update, *biases


STEPS = {
    aten._thnn_fused_lstm_cell.default: lstm_step,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_step_backward,
    aten._thnn_fused_gru_cell.default: gru_step,
    aten._thnn_fused_gru_cell_backward.default: gru_step_backward,
}
