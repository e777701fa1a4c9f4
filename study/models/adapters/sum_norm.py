"""How large the sum of several adapters is: from their factors alone, without any weight of the model.

Side by side, the B of all adapters and the A of all adapters are one product, and ‖B A‖² is the sum over the entries of
(BᵀB) ∘ (A Aᵀ), two matrices as small as the ranks. So a distance from the weights that the adapters stand upon costs
no pass over the weights.
"""

from collections.abc import Sequence

import torch

from study.models.adapters.product import Product


def sum_norm(products: Sequence[Product]) -> float:
    """‖Σ scale · B A‖ over all weights together (Frobenius norm), in float64 on the CPU; 0 of no products."""
    total = 0.0
    for name in sorted({name for product in products for name in product.factors}):
        there = [(product.scale, *product.factors[name]) for product in products if name in product.factors]
        b = torch.cat([scale * b.detach().cpu().double() for scale, b, _ in there], dim=-1)
        a = torch.cat([a.detach().cpu().double() for _, _, a in there], dim=-2)
        # What cancels out leaves a rounding error, which may be below 0.
        total += max(0.0, float(((b.mT @ b) * (a @ a.mT)).sum()))
    return float(total**0.5)
