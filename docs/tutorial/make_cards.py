"""Make hub/, the cards of docs/tutorial.md: 40 models and 4 datasets, all invented."""

from __future__ import annotations

from pathlib import Path

import yaml

HUB = Path(__file__).parent / "hub"
DATASETS = {
    "uci/digits": {"license": "cc-by-4.0", "pretty_name": "Handwritten digits"},
    "post/zip-codes": {"license": "cc0-1.0", "pretty_name": "Zip codes on envelopes"},
    "census/numerals": {"license": "cc-by-nc-4.0", "pretty_name": "Numerals on forms"},
    "census/numerals-clean": {"source_datasets": ["census/numerals"]},
}
# name: license, datasets, accuracy
BASES: dict[str, tuple[str, list[str], float]] = {
    "pixel/base": ("apache-2.0", ["post/zip-codes", "census/numerals-clean"], 0.951),
    "pixel/large": ("apache-2.0", ["post/zip-codes", "census/numerals-clean"], 0.968),
    "stroke/base": ("mit", ["post/zip-codes"], 0.944),
    "stroke/wide": ("mit", ["post/zip-codes"], 0.972),
    "tiny/base": ("bsd-3-clause", ["post/zip-codes"], 0.902),
    "tiny/micro": ("bsd-3-clause", ["census/numerals"], 0.871),
}
# suffix: relation, datasets, difference of the accuracy
DERIVED: dict[str, tuple[str, list[str], float]] = {
    "envelopes": ("finetune", ["post/zip-codes"], -0.013),
    "digits": ("finetune", ["uci/digits"], 0.012),
    "lora": ("adapter", ["post/zip-codes"], 0.004),
    "int8": ("quantized", [], -0.002),
    "int4": ("quantized", [], -0.021),
}


def write(directory: str, card: dict[str, object], text: str) -> None:
    """Write a README.md with front matter."""
    path = HUB / directory / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    front_matter = yaml.safe_dump(card, sort_keys=False)
    path.write_text(f"---\n{front_matter}---\n\n# {text}\n", encoding="utf-8")


def scores(name: str, accuracy: float) -> list[dict[str, object]]:
    """Return the model-index of one score."""
    dataset = {"type": "uci/digits", "name": "Digits", "split": "test"}
    metric = {"type": "accuracy", "value": round(accuracy, 3)}
    task = {"type": "image-classification"}
    return [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": [metric]}]}]


def write_model(name: str, accuracy: float, **card: object) -> None:
    """Write the card of a model with one score."""
    shared = {"library_name": "scikit-learn", "pipeline_tag": "image-classification"}
    index = scores(name, accuracy)
    given = {key: value for key, value in card.items() if value}
    write(f"models/{name}", {**given, **shared, "model-index": index}, name)


def main() -> None:
    """Write all cards."""
    for name, card in DATASETS.items():
        write(f"datasets/{name}", card, name)
    for name, (license_, datasets, accuracy) in BASES.items():
        write_model(name, accuracy, license=license_, datasets=datasets)
        for suffix, (relation, more, gain) in DERIVED.items():
            write_model(
                f"{name}-{suffix}",
                accuracy + gain,
                license=license_,
                base_model=name,
                base_model_relation=relation,
                datasets=more,
            )
    merged = ["pixel/large", "stroke/base"]
    write_model("mix/soup", 0.959, license="mit", base_model=merged, base_model_relation="merge")
    write_model(
        "mix/stew",
        0.948,
        license="mit",
        base_model=["pixel/base", "tiny/base"],
        base_model_relation="merge",
    )
    for name, accuracy in (("acme/digits-svm", 0.993), ("acme/digits-forest", 1.0)):
        write_model(name, accuracy, license="apache-2.0")


if __name__ == "__main__":
    main()
