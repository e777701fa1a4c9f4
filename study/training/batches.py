"""Corpora as token batches: the micro-batches of each step, in the order of a named stream."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import torch

from study.models.devices.attention_mask import ready_mask
from study.models.resident import Resident
from study.text.examples import Corpus
from study.training.data_order import batch_indices
from study.training.encoding import Encoded, encode
from study.training.share import Share
from study.unlearning.objective import IGNORED, MicroBatch, Models, Tokens, Translation


def collate(rows: Sequence[Encoded], resident: Resident) -> Tokens:
    """Right-padded tokens of some examples, on the model's device; the prompt's bear no loss."""
    longest = max(len(row.ids) for row in rows)
    input_ids = torch.full((len(rows), longest), resident.pad_id, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for index, row in enumerate(rows):
        input_ids[index, : len(row.ids)] = torch.tensor(row.ids)
        mask[index, : len(row.ids)] = 1
        labels[index, row.prompt : len(row.ids)] = torch.tensor(row.ids[row.prompt :])
    places = (labels[:, 1:] != IGNORED).flatten().nonzero()[:, 0]
    ready = ready_mask(resident.model, _on_device(mask, resident.device), longest)
    ids, labels, places = (_on_device(each, resident.device) for each in (input_ids, labels, places))
    return Tokens(ids, ready, labels, places)


def _on_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Sent without waiting for the device: from memory that it reads by itself."""
    return values if device.type == "cpu" else values.pin_memory().to(device, non_blocking=True)


def aligned(ids: Sequence[int], generic: Sequence[int]) -> list[int]:
    """For each predicted token of a text, the position that predicts its counterpart in the generic text.

    Returns:
        ``len(ids) - 1`` positions into ``generic[:-1]``; -1 for a token without a counterpart. Of a replaced term only
        the first token has one: the first token of its replacement.
    """
    positions = [-1] * len(ids)
    for tag, start, end, other, _ in SequenceMatcher(None, ids, generic, autojunk=False).get_opcodes():
        if tag == "equal":
            positions[start:end] = range(other, other + end - start)
        elif tag == "replace":
            positions[start] = other
    return [position - 1 if position > 0 else -1 for position in positions[1:]]


class Batches:
    """The micro-batches of each step of one corpus, in the order of its own stream."""

    def __init__(
        self,
        corpus: Corpus,
        resident: Resident,
        *,
        seed: int,
        purpose: str,
        batch_size: int,
        micro_batch: int,
        max_length: int | None,
        generic: Corpus | None,
        share: Share,
    ) -> None:
        """Encodes the corpus once.

        Args:
            seed, purpose: name the stream that orders the examples.
            batch_size: sequences in an optimiser step.
            micro_batch: sequences in one forward pass.
            max_length: where longer texts are cut off, in tokens, if anywhere.
            generic: a text for each of the corpus, with its telling terms replaced.
            share: which micro-batches are this process's.

        Raises:
            PreflightError: see ``encode``; or a generic text has no counterpart left.
        """
        self._rows = encode(corpus, resident.tokenizer, resident.context, max_length)
        self._generic = None
        if generic is not None:
            self._generic = encode(generic, resident.tokenizer, resident.context, max_length)
            if len(self._generic) != len(self._rows):
                raise ValueError(
                    f"the generic corpus has {len(self._generic)} texts, the forget set {len(self._rows)}: "
                    "expected one for each"
                )
        self._resident = resident
        self._seed = seed
        self._purpose = purpose
        self._batch_size = batch_size
        self._micro_batch = share.piece(batch_size, micro_batch)
        self._share = share

    def micro_batches(self, step: int, models: Models) -> list[MicroBatch]:
        """This process's micro-batches of a step (from 0), each of at most ``micro_batch`` sequences."""
        chosen = batch_indices(len(self._rows), self._batch_size, self._seed, self._purpose, step)
        cuts = [chosen[at : at + self._micro_batch] for at in range(0, len(chosen), self._micro_batch)]
        loss_tokens = sum(self._rows[index].loss_tokens for index in chosen)
        cuts = cuts[self._share.rank :: self._share.of]
        parts = [collate([self._rows[index] for index in cut], self._resident) for cut in cuts]
        translations = [self._translation(cut) for cut in cuts]
        return [
            MicroBatch(models, part, loss_tokens, len(chosen), translation)
            for part, translation in zip(parts, translations, strict=True)
        ]

    def _translation(self, cut: list[int]) -> Translation | None:
        if self._generic is None:
            return None
        generic = [self._generic[index] for index in cut]
        tokens = collate(generic, self._resident)
        longest = max(len(self._rows[index].ids) for index in cut)
        positions = torch.full((len(cut), longest - 1), -1, dtype=torch.int64)
        for row, (index, other) in enumerate(zip(cut, generic, strict=True)):
            found = aligned(self._rows[index].ids, other.ids)
            positions[row, : len(found)] = torch.tensor(found)
        learned = torch.zeros_like(positions, dtype=torch.bool)
        for row, text in enumerate(self._rows[index] for index in cut):
            learned[row, max(text.prompt - 1, 0) : len(text.ids) - 1] = True
        places = (learned & (positions >= 0)).flatten().nonzero()[:, 0]
        return Translation(
            tokens, _on_device(positions, self._resident.device), _on_device(places, self._resident.device)
        )
