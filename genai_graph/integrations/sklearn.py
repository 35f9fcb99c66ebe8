"""scikit-learn: the candidates of a search, such as `GridSearchCV`, as parts of a run."""

from __future__ import annotations

from typing import Any

from genai_graph.integrations.values import json_ready, numbers
from genai_graph.runs import Run


def log_search(run: Run, search: Any) -> list[str]:
    """Log a fitted search with `cv_results_`; return the uids of its parts, one per candidate.

    Each part has the parameters of a candidate, its results such as `mean_test_score`, and the
    scores of the splits as the history of `split_test_score`. The run gets the best parameters and
    the best score.
    """
    results = search.cv_results_
    candidates = results["params"]
    columns = {name: list(column) for name, column in results.items() if name != "params"}
    columns = {name: column for name, column in columns.items() if not name.startswith("param_")}
    splits = sorted(
        (name for name in columns if name.startswith("split")),
        key=lambda name: int(name[len("split") :].partition("_")[0]),
    )
    uids = []
    for index, parameters in enumerate(candidates):
        metrics: dict[str, Any] = numbers(
            {name: column[index] for name, column in columns.items() if name not in splits}
        )
        for name in splits:
            metrics.setdefault(f"split_{name.partition('_')[2]}", []).append(columns[name][index])
        named = {str(name): json_ready(value) for name, value in parameters.items()}
        uids.append(run.log_part(f"candidate {index}", parameters=named, metrics=metrics))
    best = getattr(search, "best_params_", None)
    if best is not None:
        run.log_parameters({f"best_{name}": json_ready(value) for name, value in best.items()})
    if hasattr(search, "best_score_"):
        run.log_metric("best_score", search.best_score_, greater_is_better=True)
    return uids
