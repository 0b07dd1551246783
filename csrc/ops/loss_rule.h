// What the rules of losses and of error metrics share.
#pragma once
#include "ops/loss.h"
#include "ops/op.h"

namespace hl {

// Checks y_pred, y_true and sample_weight (batch,) or (batch, 1). `class_numbers`: y_true is int32, an axis shorter.
void check_scored(const Infer& node, bool class_numbers);
// Checks the attributes kind, from_logits and label_smoothing, and then the inputs.
void check_loss(const Infer& node);
std::vector<std::string> loss_names();

// Axis -1 of y_pred, and how often it stands in a sample.
struct Scored {
  int64_t groups, columns;
};
Scored scored(const Spec& y_pred);

// The arguments of an unweighted value for each sample, without gradient; `values` is still to be set.
LossForward loss_arguments(Build& b);

}  // namespace hl
