"""The direction of well-known metrics: whether a greater value is better.

The `greater_is_better` of a metric takes precedence. Unlisted names are unknown, never guessed.
The names are those of scikit-learn, Hugging Face evaluate, TorchMetrics, torchvision and XGBoost,
in lower case.
"""

from __future__ import annotations

_GREATER = """
acc acc@1 acc@5 acc1 acc5 accuracy accuracy_score top1 top5 top_1_accuracy top_5_accuracy
top1_accuracy top5_accuracy balanced_accuracy balanced_accuracy_score
exact_match em pass@1 pass@10 pass@100 win_rate
precision precision_score recall recall_score sensitivity specificity
f1 f1_score f1_macro f1_micro f1_weighted macro_f1 micro_f1 f_beta
auc auroc roc_auc roc_auc_score pr_auc auprc aucpr average_precision average_precision_score
map map_50 map_75 map@50 box_map mask_map kp_map ndcg mrr hit_rate
iou miou jaccard jaccard_score dice dice_score pixel_acc
mcc matthews_corrcoef matthews_correlation cohen_kappa cohen_kappa_score kappa
r2 r2_score explained_variance pearson pearsonr spearman spearmanr
bleu sacrebleu rouge rouge1 rouge2 rougel rougelsum meteor chrf bertscore
psnr ssim silhouette_score
"""
_LESS = """
loss train_loss val_loss validation_loss test_loss eval_loss
cross_entropy nll log_loss logloss mlogloss error error_rate merror brier_score brier_score_loss
mse mean_squared_error rmse root_mean_squared_error rmsle mae mean_absolute_error
mape mean_absolute_percentage_error smape median_absolute_error
perplexity ppl bits_per_byte bits_per_character
wer word_error_rate cer character_error_rate ter
fid lpips eer hamming_loss hinge_loss zero_one_loss epe ece
"""

# Questions look names up in lower case.
KNOWN_DIRECTIONS: dict[str, bool] = {
    **dict.fromkeys(_GREATER.split(), True),
    **dict.fromkeys(_LESS.split(), False),
}
