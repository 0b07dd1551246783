// elementwise: y = f(a, b, c), element by element, with NumPy's broadcasting of the feature axes.
//
// An operand is a batch (M, ..), a value without a batch (..) that every row sees (a weight, or what was computed from
// weights), or a number. Feature axes that all operands repeat alike are walked as one, so most nodes are rows of one
// run of elements; at most kAxes runs are left. A broadcast operand is read in place. Its gradient is made in full, then
// summed over the axes it lacks, and over the batch if it has none (ops/fold.h), in an order that only shapes fix.
//     da = dy df/da ..   from a, b, c and y.   Shapes: y, dy (M, axes); da like the operand.   Saved: a, b, c, y.
// At kinks as JAX: maximum and minimum share the gradient of equal operands; abs has slope 0 at 0; comparisons, logic,
// rounding and sign pass nothing on; where passes the gradient to the operand it took. Comparisons give 0 or 1.
// Flops: 1 to 60 an element. Bytes: every operand once, and y.
#pragma once
#include <string>

#include "core/tensor.h"

namespace hl {

constexpr int kOperands = 3, kAxes = 5;

// HL_UNARY, HL_BINARY, HL_TERNARY(name, Functor): the only list.
#define HL_ELEMENTWISE(HL_UNARY, HL_BINARY, HL_TERNARY) \
  HL_UNARY(negative, NegativeOf)                        \
  HL_UNARY(abs, AbsOf)                                  \
  HL_UNARY(sign, SignOf)                                \
  HL_UNARY(square, SquareOf)                            \
  HL_UNARY(sqrt, SqrtOf)                                \
  HL_UNARY(rsqrt, RsqrtOf)                              \
  HL_UNARY(reciprocal, ReciprocalOf)                    \
  HL_UNARY(exp, ExpOf)                                  \
  HL_UNARY(expm1, Expm1Of)                              \
  HL_UNARY(log, LogOf)                                  \
  HL_UNARY(log1p, Log1pOf)                              \
  HL_UNARY(sin, SinOf)                                  \
  HL_UNARY(cos, CosOf)                                  \
  HL_UNARY(tan, TanOf)                                  \
  HL_UNARY(arcsin, ArcsinOf)                            \
  HL_UNARY(arccos, ArccosOf)                            \
  HL_UNARY(arctan, ArctanOf)                            \
  HL_UNARY(erf, ErfOf)                                  \
  HL_UNARY(sinh, SinhOf)                                \
  HL_UNARY(cosh, CoshOf)                                \
  HL_UNARY(tanh, TanhOf)                                \
  HL_UNARY(arcsinh, ArcsinhOf)                          \
  HL_UNARY(arccosh, ArccoshOf)                          \
  HL_UNARY(arctanh, ArctanhOf)                          \
  HL_UNARY(floor, FloorOf)                              \
  HL_UNARY(ceil, CeilOf)                                \
  HL_UNARY(round, RoundOf)                              \
  HL_UNARY(logical_not, NotOf)                          \
  HL_UNARY(isnan, IsNanOf)                              \
  HL_UNARY(isfinite, IsFiniteOf)                        \
  HL_BINARY(add, AddOf)                                 \
  HL_BINARY(subtract, SubtractOf)                       \
  HL_BINARY(multiply, MultiplyOf)                       \
  HL_BINARY(divide, DivideOf)                           \
  HL_BINARY(power, PowerOf)                             \
  HL_BINARY(maximum, MaximumOf)                         \
  HL_BINARY(minimum, MinimumOf)                         \
  HL_BINARY(mod, ModOf)                                 \
  HL_BINARY(floor_divide, FloorDivideOf)                \
  HL_BINARY(arctan2, Arctan2Of)                         \
  HL_BINARY(less, LessOf)                               \
  HL_BINARY(less_equal, LessEqualOf)                    \
  HL_BINARY(greater, GreaterOf)                         \
  HL_BINARY(greater_equal, GreaterEqualOf)              \
  HL_BINARY(equal, EqualOf)                             \
  HL_BINARY(not_equal, NotEqualOf)                      \
  HL_BINARY(logical_and, AndOf)                         \
  HL_BINARY(logical_or, OrOf)                           \
  HL_BINARY(second, SecondOf)                           \
  HL_TERNARY(where, WhereOf)

enum class ElementwiseKind : int32_t {
#define HL_KIND(name, Functor) name,
  HL_ELEMENTWISE(HL_KIND, HL_KIND, HL_KIND)
#undef HL_KIND
};

// The number of kinds where there is none of that name.
ElementwiseKind elementwise_from(const std::string& name);
int operands_of(ElementwiseKind kind);
bool passes_gradient(ElementwiseKind kind, int operand);

struct Operand {
  Tensor data;             // rows 0 apart where the operand has no batch; empty: `number`
  int64_t strides[kAxes];  // elements; 0 where the axis is broadcast
  double number;
};

struct Elementwise {
  Operand operands[kOperands];
  Tensor y;             // forward: written; backward: read
  int64_t axes[kAxes];  // of a row of y, the last one a run of elements
  int64_t features;
  int64_t rows;  // 0: those of the batch
  ElementwiseKind kind;
  int32_t n_operands;
  bool flat;  // of the batch, and every operand is a number or lies as y does
};

struct ElementwiseBackward {
  Elementwise of;
  Tensor dy, d;  // (M, axes); d, of one operand before it is summed, may be dy
  int operand;
};

// Functors. forward(a, ..) is y; gradient<i>(dy, y, a, ..) that of operand i. kFlat: no gradient flows. V is a SIMD
// vector on the CPU, a scalar on a GPU. No value-dependent `if`, only `select`.
struct Smooth {
  static constexpr bool kFlat = false;
};
struct Flat {
  static constexpr bool kFlat = true;
};

#define HL_FORMULA(Functor, formula, slope)                                           \
  struct Functor : Smooth {                                                           \
    template <class V> static HL_INLINE V forward(V a) { return formula; }            \
    template <int, class V> static HL_INLINE V gradient(V dy, V y, V a) {             \
      return (void)y, (void)a, slope;                                                 \
    }                                                                                 \
  };
#define HL_STEP(Functor, formula)                                          \
  struct Functor : Flat {                                                  \
    template <class V> static HL_INLINE V forward(V a) { return formula; } \
  };
HL_FORMULA(NegativeOf, -a, -dy)
HL_FORMULA(AbsOf, abs(a), dy * select(a > V(0), V(1), select(a < V(0), V(-1), a)))
HL_FORMULA(SquareOf, a * a, dy * (a + a))
HL_FORMULA(SqrtOf, sqrt(a), dy * (V(0.5) / y))
HL_FORMULA(RsqrtOf, V(1) / sqrt(a), dy * (V(-0.5) * (y / a)))
HL_FORMULA(ReciprocalOf, V(1) / a, -(dy * (y * y)))
HL_FORMULA(ExpOf, exp(a), dy * y)
HL_FORMULA(Expm1Of, expm1(a), dy * (y + V(1)))
HL_FORMULA(LogOf, log(a), dy / a)
HL_FORMULA(Log1pOf, log1p(a), dy / (V(1) + a))
HL_FORMULA(SinOf, sin(a), dy * cos(a))
HL_FORMULA(CosOf, cos(a), -(dy * sin(a)))
HL_FORMULA(TanOf, tan(a), dy * fma(y, y, V(1)))
HL_FORMULA(ArcsinOf, arcsin(a), dy / sqrt((V(1) - a) * (V(1) + a)))
HL_FORMULA(ArccosOf, arccos(a), -(dy / sqrt((V(1) - a) * (V(1) + a))))
HL_FORMULA(ArctanOf, arctan(a), dy / fma(a, a, V(1)))
HL_FORMULA(ErfOf, erf(a), dy * (V(1.12837916709551257390) * exp(-(a * a))))
HL_FORMULA(SinhOf, sinh(a), dy * cosh(a))
HL_FORMULA(CoshOf, cosh(a), dy * sinh(a))
HL_FORMULA(TanhOf, tanh(a), dy * fnma(y, y, V(1)))
HL_FORMULA(ArcsinhOf, arcsinh(a), dy / sqrt(fma(a, a, V(1))))
HL_FORMULA(ArccoshOf, arccosh(a), dy / sqrt((a - V(1)) * (a + V(1))))
HL_FORMULA(ArctanhOf, arctanh(a), dy / ((V(1) - a) * (V(1) + a)))
HL_STEP(SignOf, select(a > V(0), V(1), select(a < V(0), V(-1), a)))
HL_STEP(FloorOf, floor(a))
HL_STEP(CeilOf, -floor(-a))
HL_STEP(RoundOf, round_even(a))
HL_STEP(NotOf, select(a == V(0), V(1), V(0)))
HL_STEP(IsNanOf, select(a != a, V(1), V(0)))
HL_STEP(IsFiniteOf, select(a - a == V(0), V(1), V(0)))
#undef HL_FORMULA
#undef HL_STEP

#define HL_FORMULA(Functor, formula, left, right)                                  \
  struct Functor : Smooth {                                                        \
    template <class V> static HL_INLINE V forward(V a, V b) { return formula; }    \
    template <int I, class V> static HL_INLINE V gradient(V dy, V y, V a, V b) {   \
      (void)y, (void)a, (void)b;                                                   \
      if constexpr (I == 0) return left;                                           \
      else return right;                                                           \
    }                                                                              \
  };
#define HL_STEP(Functor, formula)                                               \
  struct Functor : Flat {                                                       \
    template <class V> static HL_INLINE V forward(V a, V b) { return formula; } \
  };
// 1 where a wins, 1/2 where both are equal, 0 elsewhere.
template <class V> HL_INLINE V share_of(V y, V a, V b) {
  return select(a == y, select(b == y, V(0.5), V(1)), V(0));
}
HL_FORMULA(AddOf, a + b, dy, dy)
HL_FORMULA(SubtractOf, a - b, dy, -dy)
HL_FORMULA(MultiplyOf, a * b, dy * b, dy * a)
HL_FORMULA(DivideOf, a / b, dy / b, -(dy * (y / b)))
HL_FORMULA(PowerOf, power(a, b), dy * select(b == V(0), V(0), b * power(a, select(b == V(0), V(1), b - V(1)))),
           dy * (select(a == V(0), V(0), log(a)) * y))
HL_FORMULA(MaximumOf, select((a > b) | (a != a), a, b), dy * share_of(y, a, b), dy * share_of(y, b, a))
HL_FORMULA(MinimumOf, select((a < b) | (a != a), a, b), dy * share_of(y, a, b), dy * share_of(y, b, a))
HL_FORMULA(ModOf, a - floor(a / b) * b, dy, -(dy * floor(a / b)))
HL_FORMULA(Arctan2Of, arctan2(a, b), dy * (b / fma(a, a, b * b)), -(dy * (a / fma(a, a, b * b))))
HL_STEP(FloorDivideOf, floor(a / b))
HL_STEP(LessOf, select(a < b, V(1), V(0)))
HL_STEP(LessEqualOf, select(a <= b, V(1), V(0)))
HL_STEP(GreaterOf, select(a > b, V(1), V(0)))
HL_STEP(GreaterEqualOf, select(a >= b, V(1), V(0)))
HL_STEP(EqualOf, select(a == b, V(1), V(0)))
HL_STEP(NotEqualOf, select(a != b, V(1), V(0)))
HL_STEP(AndOf, select((a != V(0)) & (b != V(0)), V(1), V(0)))
HL_STEP(OrOf, select((a != V(0)) | (b != V(0)), V(1), V(0)))
#undef HL_FORMULA
#undef HL_STEP

struct SecondOf : Smooth {  // b in the shape of a
  template <class V> static HL_INLINE V forward(V, V b) { return b; }
  template <int I, class V> static HL_INLINE V gradient(V dy, V, V, V) { return I == 0 ? V(0) : dy; }
};

struct WhereOf : Smooth {  // a ? b : c
  template <class V> static HL_INLINE V forward(V a, V b, V c) { return select(a != V(0), b, c); }
  template <int I, class V> static HL_INLINE V gradient(V dy, V, V a, V, V) {
    if constexpr (I == 0) return V(0);
    if constexpr (I == 1) return select(a != V(0), dy, V(0));
    return select(a != V(0), V(0), dy);
  }
};

}  // namespace hl
