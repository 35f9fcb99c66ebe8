"""The direction of well-known metrics: whether a greater value is better.

The `greater_is_better` of a metric takes precedence. A name may be preceded or followed by the
name of a split, as in ``val_accuracy``, ``test/acc``, ``valLoss`` or ``metrics/val.loss``; a comma
starts the name of a filter, as in ``acc,none``, and ``@`` the cutoff or threshold of metrics that
have one, as in ``ndcg@10`` or ``mAP@0.5``. Other names are unknown, never guessed. The names are
those of scikit-learn, Hugging Face evaluate, TorchMetrics, torchvision, Keras and XGBoost.
"""

from __future__ import annotations

import re
import unicodedata

_GREATER = """
acc acc@1 acc@5 acc1 acc5 acc_norm accuracy accuracy_score top1 top5 top_1_accuracy top_5_accuracy
top1_accuracy top5_accuracy top_1_acc top_5_acc top1_acc top5_acc
binary_accuracy categorical_accuracy sparse_categorical_accuracy top_k_categorical_accuracy
sparse_top_k_categorical_accuracy
balanced_accuracy balanced_accuracy_score
exact_match em pass@1 pass@10 pass@100 win_rate
precision precision_score recall recall_score sensitivity specificity
f1 f1_score f1_macro f1_micro f1_weighted macro_f1 micro_f1 f_beta
auc auroc roc_auc roc_auc_score auc_roc pr_auc auc_pr auprc aucpr
average_precision average_precision_score
map map_50 map_75 map@50 map50 box_map mask_map kp_map ndcg mrr hit_rate
iou miou mean_iou jaccard jaccard_score dice dice_score pixel_acc
mcc matthews_corrcoef matthews_correlation cohen_kappa cohen_kappa_score kappa
r2 r2_score explained_variance pearson pearsonr spearman spearmanr
bleu sacrebleu rouge rouge1 rouge2 rougel rougelsum meteor chrf bertscore
psnr ssim silhouette_score
"""
_LESS = """
loss cross_entropy nll log_loss logloss mlogloss error error_rate merror
binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy
brier_score brier_score_loss
mse mean_squared_error rmse root_mean_squared_error rmsle mae mean_absolute_error
mape mean_absolute_percentage_error smape median_absolute_error
perplexity word_perplexity byte_perplexity ppl bits_per_byte bits_per_character
wer word_error_rate cer character_error_rate ter
fid lpips eer hamming_loss hinge_loss zero_one_loss epe ece
"""
_JOINTS = re.compile(r"[-_\s@]+")  # f1_score, F1 score and f1score are one name
_DIRECTIONS = {
    **{_JOINTS.sub("", name): True for name in _GREATER.split()},
    **{_JOINTS.sub("", name): False for name in _LESS.split()},
}
# Metrics with a cutoff or a threshold; all of them are better if greater.
_WITH_CUTOFF = re.compile(
    r"(?:precision|recall|f1|map|mar|mrr|ndcg|hit_rate|iou|miou|pass|hits?)"
    r"@(?:k|\d+(?:\.\d+)?(?:[:-]\d+(?:\.\d+)?)?)"
)
_CAMEL_CASE = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
# Words that name where a metric was measured. XGBoost and LightGBM add a number to them.
_PLACE = (
    r"(?:metrics?|train(?:ing)?|val(?:id(?:ation)?)?|dev(?:elopment)?|test(?:ing)?"
    r"|eval(?:uation)?|hold_?out|held[_-]?out|cv|oof|fold|epoch|step|best|final)(?:_?\d+)?"
)
_SEPARATOR = r"(?:[_\-/.:@]| )+"
_PREFIX = re.compile(_PLACE + _SEPARATOR)
_SUFFIX = re.compile(_SEPARATOR + _PLACE + "$")


def direction(name: str) -> bool | None:
    """Return whether a greater value of a metric is better, or None if it is unknown."""
    plain = unicodedata.normalize("NFC", name).partition(",")[0].strip()
    known = _direction(plain.casefold())
    return _direction(_CAMEL_CASE.sub("_", plain).casefold()) if known is None else known


def _direction(rest: str) -> bool | None:
    while rest:
        known = _DIRECTIONS.get(_JOINTS.sub("", rest))
        if known is not None:
            return known
        if _WITH_CUTOFF.fullmatch(rest):
            return True
        shorter = _PREFIX.sub("", rest, count=1) if _PREFIX.match(rest) else _SUFFIX.sub("", rest)
        if shorter == rest:
            return None
        rest = shorter
    return None


def known_directions(names: set[str]) -> dict[str, bool]:
    """Return the directions of those names that have a known one."""
    found = {name: direction(name) for name in names}
    return {name: known for name, known in found.items() if known is not None}
