// random: numbers keyed like dropout masks (core/philox.h), for noise and for initial values.
//
//     u = (word + 1/2) / 2^32, one 32-bit word a number
//     uniform           a + (b - a) word / 2^32          in [a, b)
//     normal            a + b Phi^-1(u)
//     truncated_normal  a + b Phi^-1(Phi(-2) + (Phi(2) - Phi(-2)) u)   within a +- 2b
// Shapes: y (M,F). All in double with plain additions and products, then rounded: every row of the table, on every
// machine, draws the same numbers. No gradient. Flops: up to about 60 a number. Bytes: y once.
//     bernoulli         y = 1 where (word >> 8) / 2^24 < p, else 0      p = x, or with `logits` 1 / (1 + e^-x)
// of x, y (M,F): probability 0 never gives 1, and 1 always does.
// Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37 (1988).
#pragma once
#include <string>

#include "core/philox.h"
#include "core/tensor.h"

namespace hl {

enum class RandomKind : int32_t { uniform, normal, truncated_normal };

struct Distribution {
  RandomKind kind = RandomKind::uniform;
  double a = 0, b = 1;  // uniform: the ends; normal: mean and standard deviation
};

// Throws ValueError on an unknown kind (with a suggestion) or on a and b that make no distribution.
Distribution distribution_from(const std::string& kind, double a, double b);

struct RandomFill {
  Tensor dst;  // (M,features)
  int64_t features;
  Distribution distribution;
  int64_t stream;
  Purpose purpose;
};

struct BernoulliDraw {
  Tensor x, y;  // (M,features)
  int64_t features;
  int64_t stream;
  bool logits;
};

// `n` initial values, of the kernels' arithmetic type, side by side.
struct Kernels;
void fill_random(const Kernels& kernels, void* values, int64_t n, Distribution distribution, uint64_t seed,
                 int64_t stream);

// Natural logarithm of a positive normal number, below 1 ULP, from plain IEEE operations (fdlibm's reduction: libm's
// own bits differ between machines).
HL_INLINE double portable_log(double x) {
  union {
    double value;
    int64_t bits;
  } u = {x};
  constexpr int64_t kRootHalf = 0x3fe6a09e667f3bcd;  // splits exponents so that the rest is in [sqrt(1/2), sqrt(2))
  const int64_t k = (u.bits - kRootHalf) >> 52;
  u.bits -= k * (int64_t(1) << 52);
  const double f = u.value - 1, s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
  const double r = z * (6.666666666666735130e-01 +
                        z * (3.999999999940941908e-01 +
                             z * (2.857142874366239149e-01 +
                                  z * (2.222219843214978396e-01 +
                                       z * (1.818357216161805012e-01 +
                                            z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
  const double high = 6.93147180369123816490e-01, low = 1.90821492927058770002e-10;  // ln 2 in two parts
  return double(k) * high - ((half_square - (s * (half_square + r) + double(k) * low)) - f);
}

// Horner's rule, c[0] the constant term.
template <int n>
constexpr HL_INLINE double polynomial(const double (&c)[n], double x) {
  double y = c[n - 1];
  for (int i = n - 2; i >= 0; --i) y = y * x + c[i];
  return y;
}

// AS 241's PPND16: Phi^-1(p), relative error about 1e-16. The centre, |p - 1/2| <= 0.425, with q = p - 1/2:
HL_INLINE double normal_quantile_centre(double q) {
  constexpr double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                          1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                          3.3430575583588128105e4, 2.5090809287301226727e3};
  constexpr double b[] = {1.0,
                          4.2313330701600911252e1,
                          6.8718700749205790830e2,
                          5.3941960214247511077e3,
                          2.1213794301586595867e4,
                          3.9307895800092710610e4,
                          2.8729085735721942674e4,
                          5.2264952788528545610e3};
  const double r = 0.180625 - q * q;
  return q * polynomial(a, r) / polynomial(b, r);
}
// ... and the tails, p in (0, 1).
HL_INLINE double normal_quantile_tail(double p) {
  constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                          3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                          2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[] = {1.0,
                          2.05319162663775882187e0,
                          1.67638483018380384940e0,
                          6.89767334985100004550e-1,
                          1.48103976427480074590e-1,
                          1.51986665636164571966e-2,
                          5.47593808499534494600e-4,
                          1.05075007164441684324e-9};
  constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                          2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                          2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double f[] = {1.0,
                          5.99832206555887937690e-1,
                          1.36929880922735805310e-1,
                          1.48753612908506148525e-2,
                          7.86869131145613259100e-4,
                          1.84631831751005468180e-5,
                          1.42151175831644588870e-7,
                          2.04426310338993978564e-15};
  const double r = __builtin_sqrt(-portable_log(p < 0.5 ? p : 1 - p));
  const double z =
      r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
  return p < 0.5 ? -z : z;
}

}  // namespace hl
