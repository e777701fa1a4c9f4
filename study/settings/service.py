"""What a study says of a fine-tuning service, and the names of its models there."""


def own_name(start: str, method: str, repetitions: int, seed: int, depth: int) -> str:
    """The name under which `relearn serve` offers a study's model, made of the coordinates of its cell."""
    return f"{start}/{method}/repetitions-{repetitions}/seed-{seed}/depth-{depth}"
