"""The batched decoder against ``generate`` one by one, and the target's scores against a plain pass."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import MistralConfig, MistralForCausalLM

from search_spaces.loading import validate
from study.evaluation.answering.generation import answer_probes
from study.models.devices.attention_mask import keeps_every_token
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Embedded, Pretrained
from study.settings.model import Architecture
from study.text.examples import Probe, ProbeSet
from tests.conftest import TINY


@pytest.fixture(scope="module")
def resident() -> Resident:
    """Random weights, enlarged so that the model is far from uniform and each prompt has its own end."""
    words = (
        make_plan(read_materials(validate(TINY, place="the test")), str)
        .cells[0]
        .checkpoint.of.parent.of.vocabulary
    )
    made = Resident(Embedded(Architecture(layers=2, width=32), words, "sdpa", "float32", seed=0))
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(12)
    return made


def probes_of(*targets: str) -> ProbeSet:
    prompts = ["John", "Paul Kevin Brian", "George Edward Ronald Timothy Jason Jeffrey Ryan", "Gary Eric"]
    return ProbeSet(
        tuple(
            Probe(f"p{index}", "forget", prompt, targets[index % len(targets)])
            for index, prompt in enumerate(prompts)
        )
    )


@pytest.mark.parametrize(("batch_size", "read_at_once"), [(1, 16), (2, 16), (4, 16), (4, 1), (4, 3), (3, 2)])
@pytest.mark.parametrize("targets", [("Mark",), ("Mark", "James Robert", "Paul John Kevin")])
def test_answers_equal_those_one_by_one(
    resident: Resident,
    batch_size: int,
    read_at_once: int,
    targets: tuple,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("study.evaluation.answering.generation.PROMPTS_AT_ONCE", read_at_once)
    probes = probes_of(*targets)
    answers = answer_probes(resident, probes, max_new_tokens=9, batch_size=batch_size)
    for probe, answer in zip(probes.probes, answers, strict=True):
        prompt = torch.tensor([resident.tokenizer(probe.prompt)["input_ids"]])
        with torch.inference_mode():
            whole = resident.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=9, do_sample=False
            )
            assert answer.completion == resident.tokenizer.decode(
                whole[0, prompt.shape[1] :], skip_special_tokens=True
            )
            target = resident.tokenizer(probe.target, add_special_tokens=False)["input_ids"]
            full = torch.cat([prompt, torch.tensor([target])], dim=1)
            logits = resident.model(input_ids=full).logits[0, prompt.shape[1] - 1 : -1]
        nll = functional.cross_entropy(logits, torch.tensor(target), reduction="sum")
        ranks = [1 + int((row > row[token]).sum()) for row, token in zip(logits, target, strict=True)]
        assert answer.target_nll == pytest.approx(float(nll), rel=1e-4)
        assert answer.target_rank == max(ranks)


def test_a_model_that_looks_back_a_few_tokens_only(resident: Resident, tmp_path: Path) -> None:
    """Its cache keeps a window, so prompts of different lengths are not read apart and concatenated."""
    config = MistralConfig(
        vocab_size=len(resident.tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, sliding_window=3,
    )  # fmt: skip
    torch.manual_seed(0)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    resident.tokenizer.save_pretrained(tmp_path)
    looking = Resident(Pretrained(str(tmp_path), fingerprint(str(tmp_path)), "sdpa", "float32"))
    assert not keeps_every_token(looking.model.config)
    assert keeps_every_token(resident.model.config)
    probes = probes_of("Mark", "James Robert")
    together = answer_probes(looking, probes, max_new_tokens=9, batch_size=4)
    for one, other in zip(
        together, answer_probes(looking, probes, max_new_tokens=9, batch_size=1), strict=True
    ):
        assert one.completion == other.completion
        assert one.target_nll == pytest.approx(other.target_nll, rel=1e-4)
    assert len({answer.completion for answer in together}) > 1


def test_continuations_are_not_all_alike(resident: Resident) -> None:
    answers = answer_probes(resident, probes_of("Mark"), max_new_tokens=9, batch_size=4)
    assert len({answer.completion for answer in answers}) > 1


def test_decoding_stops_at_an_end_token(resident: Resident) -> None:
    probes = probes_of("Mark")
    free = answer_probes(resident, probes, max_new_tokens=9, batch_size=4)
    end = free[0].completion.split()[2]
    before = resident.end_ids
    (found,) = resident.tokenizer.convert_tokens_to_ids([f" {end}"])
    resident.end_ids = (found,)
    try:
        stopped = answer_probes(resident, probes, max_new_tokens=9, batch_size=4)
    finally:
        resident.end_ids = before
    for one, other in zip(free, stopped, strict=True):
        words = one.completion.split()
        # The end token itself is decoded, being an ordinary word here; nothing comes after it.
        assert other.completion.split() == (words[: words.index(end) + 1] if end in words else words)
