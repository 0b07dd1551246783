// Elementary functions of Vec<float> and Vec<double>. Included after core/simd.h, once per instruction set.
//
// Largest error in units in the last place, both precisions, every row:
//     exp 1.1   expm1 2.5   log 0.9   log1p 2.2   tanh 3   sigmoid 2.5   softplus 2.8   normal_cdf 8
// NaN gives NaN, infinities give the limits; arguments and results below the smallest normal number may count as zero.
//
// Cody and Waite, "Software Manual for the Elementary Functions", 1980 (argument reduction); log and log1p after
// FreeBSD's e_log.c and s_log1p.c (Sun Microsystems); the polynomials of exp are minimax fits made for this file.

// c0 + x (c1 + x (c2 + ..
template <class V>
HL_INLINE V horner(V, V c) {
  return c;
}
template <class V, class... Rest>
HL_INLINE V horner(V x, V c, Rest... rest) {
  return fma(horner(x, V(rest)...), x, c);
}

template <class T> struct MathConstants;
template <> struct MathConstants<float> {
  static constexpr int kMantissaBits = 23, kBias = 127;
  static constexpr float kExpMost = 89.0f, kExpLeast = -104.0f, kExpm1Least = -18.0f, kTanhOne = 10.0f, kNormalMost = 14.0f;
  static constexpr float kExpLn2Hi = 0.693359375f, kExpLn2Lo = -2.12194440e-4f;
  static constexpr float kLogLn2Hi = 6.9313812256e-01f, kLogLn2Lo = 9.0580006145e-06f;
};
template <> struct MathConstants<double> {
  static constexpr int kMantissaBits = 52, kBias = 1023;
  static constexpr double kExpMost = 710.0, kExpLeast = -746.0, kExpm1Least = -38.0, kTanhOne = 20.0, kNormalMost = 39.0;
  static constexpr double kExpLn2Hi = 6.93147180369123816490e-01, kExpLn2Lo = 1.90821492927058770002e-10;
  static constexpr double kLogLn2Hi = kExpLn2Hi, kLogLn2Lo = kExpLn2Lo;
};

// (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2.
HL_INLINE Vec<float> exp_tail(Vec<float> r) {
  return horner(r, Vec<float>(0.49999998167f), 0.166665435523f, 0.041667196367f, 0.00836653483238f, 0.0013882762841f);
}
HL_INLINE Vec<double> exp_tail(Vec<double> r) {
  return horner(r, Vec<double>(0.50000000000000051518), 0.16666666666666589632, 0.041666666666576885797,
                0.0083333333333893565744, 0.0013888888931557841033, 0.0001984126971943345042,
                0.000024801505253725599047, 2.7557407112055959457e-6, 2.7626054239520726119e-7,
                2.5053938077369146908e-8);
}

// x = n ln 2 + r: r, and n as an integer plus `offset` in the low bits of `n_bits`.
template <class T>
HL_INLINE Vec<T> reduce_exp(Vec<T> x, int offset, Bits<T>* n_bits) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V shift(T(1.5) * T(int64_t(1) << C::kMantissaBits) + T(offset));  // adding it leaves n in the mantissa
  const V t = fma(x, V(T(1.44269504088896340736)), shift);
  *n_bits = bits(t);
  const V n = t - shift;
  return fnma(n, V(C::kExpLn2Lo), fnma(n, V(C::kExpLn2Hi), x));
}

template <class T>
HL_INLINE Vec<T> exp(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  // 2^n is made as 2^floor(n/2) * 2^ceil(n/2): both are in range wherever the result or its rounding is.
  Bits<T> n(0);
  x = max(V(C::kExpLeast), min(V(C::kExpMost), x));
  const V r = reduce_exp(x, 2 * C::kBias, &n);
  const V p = V(1) + fma(r * r, exp_tail(r), r);
  const Bits<T> low = n >> 1, high = n - low;
  return p * from_bits(low << C::kMantissaBits) * from_bits(high << C::kMantissaBits);
}

template <class T>
HL_INLINE Vec<T> expm1(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  Bits<T> n(0);
  const V clamped = max(V(C::kExpm1Least), min(V(C::kExpMost), x));
  const V r = reduce_exp(clamped, C::kBias - 1, &n);
  const V p = fma(r * r, exp_tail(r), r);
  const V scale = from_bits(n << C::kMantissaBits);  // 2^(n - 1), so that n = kBias + 1 fits
  const V y = fma(scale, p, scale - V(T(0.5)));
  return select(x == V(0), x, y + y);
}

// With s = f / (2 + f) and z = s^2: log(1 + f) = 2 s + s log_tail(z), the odd series of the logarithm.
HL_INLINE Vec<float> log_tail(Vec<float> z) {
  return z * horner(z, Vec<float>(0.66666662693f), 0.40000972152f, 0.28498786688f, 0.24279078841f);
}
HL_INLINE Vec<double> log_tail(Vec<double> z) {
  return z * horner(z, Vec<double>(6.666666666666735130e-01), 3.999999999940941908e-01, 2.857142874366239149e-01,
                    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                    1.479819860511658591e-01);
}

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for positive normal x: k, and m - 1 in *f.
template <class T>
HL_INLINE Vec<T> split_exponent(Vec<T> x, Vec<T>* f) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const Bits<T> root = bits(V(T(0.70710678118654752440))), one = bits(V(1));
  const Bits<T> shifted = bits(x) + (one - root);
  const Bits<T> mantissa(((typename Lane<T>::Unsigned)1 << C::kMantissaBits) - 1);
  *f = from_bits((shifted & mantissa) + root) - V(1);
  const V big(T(int64_t(1) << C::kMantissaBits));
  return from_bits((shifted >> C::kMantissaBits) | bits(big)) - (big + V(T(C::kBias)));
}

// k ln 2 + log(1 + f) + c
template <class T>
HL_INLINE Vec<T> join_log(Vec<T> k, Vec<T> f, Vec<T> c) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V s = f / (V(2) + f);
  const V half_square = V(T(0.5)) * f * f;
  const V tail = fma(s, half_square + log_tail(s * s), fma(k, V(C::kLogLn2Lo), c));
  return fma(k, V(C::kLogLn2Hi), f - (half_square - tail));
}

// Logarithms outside their domain, by the distance from the pole: -inf at it (a subnormal distance counts as zero),
// NaN beyond it; inf and NaN stay.
template <class T>
HL_INLINE Vec<T> log_limits(Vec<T> x, Vec<T> distance, Vec<T> y) {
  using V = Vec<T>;
  y = select(distance < V(kSmallestNormal<T>), V(-kInfinity<T>), y);
  y = select(distance < V(0), V(kNaN<T>), y);
  return select(x < V(kInfinity<T>), y, x);
}

template <class T>
HL_INLINE Vec<T> log(Vec<T> x) {
  Vec<T> f;
  const Vec<T> k = split_exponent(x, &f);
  return log_limits(x, x, join_log(k, f, Vec<T>(0)));
}

template <class T>
HL_INLINE Vec<T> log1p(Vec<T> x) {
  using V = Vec<T>;
  const V u = V(1) + x;
  V f;
  const V k = split_exponent(u, &f);
  const V lost = select(k > V(0), V(1) - (u - x), x - (u - V(1))) / u;  // what rounding u lost, relative to it
  const auto near = k == V(0);
  return log_limits(x, u, join_log(k, select(near, x, f), select(near, V(0), lost)));
}

template <class T>
HL_INLINE Vec<T> tanh(Vec<T> x) {
  using V = Vec<T>;
  const V a = min(V(MathConstants<T>::kTanhOne), abs(x));
  const V e = expm1(a + a);
  return copysign(e / (e + V(2)), x);
}

// 1 / (1 + e^-x)
template <class T>
HL_INLINE Vec<T> sigmoid(Vec<T> x) {
  return Vec<T>(1) / (Vec<T>(1) + exp(-x));
}

// log(1 + e^x)
template <class T>
HL_INLINE Vec<T> softplus(Vec<T> x) {
  return max(x, Vec<T>(0)) + log1p(exp(-abs(x)));
}

// e^(-x^2/2): x^2 = h^2 + (x - h)(x + h), where h has half the digits of x, so that h^2 is exact.
template <class T>
HL_INLINE Vec<T> exp_half_square(Vec<T> x) {
  using V = Vec<T>;
  constexpr int kDropped = MathConstants<T>::kMantissaBits / 2 + 1;
  const V h = from_bits((bits(x) >> kDropped) << kDropped);
  return exp(V(T(-0.5)) * h * h) * exp(V(T(-0.5)) * (x - h) * (x + h));
}

// Phi(-a) e^(a^2/2) for 0 <= a <= kNormalMost: (1 + 2 a) times it is a polynomial in q = (a - k) / (a + k).
// Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x", Mathematics of Computation 36, 1981;
// the coefficients were made for this file.
HL_INLINE Vec<float> normal_tail_polynomial(Vec<float> a) {
  const Vec<float> q = (a - Vec<float>(4)) / (a + Vec<float>(4));
  return horner(q, Vec<float>(0.8496957718f), -0.0230092065572f, -0.0963800101962f, 0.128907174601f,
                   -0.0952601467046f, 0.0443742040466f, -0.0105114062219f, -0.00125169044657f, 0.00155837914389f,
                   -7.1267668697e-5f, -0.000153376631364f);
}
HL_INLINE Vec<double> normal_tail_polynomial(Vec<double> a) {
  const Vec<double> q = (a - Vec<double>(5)) / (a + Vec<double>(5));
  return horner(q, Vec<double>(0.84611235472506925318), -0.039647008404005635683, -0.054008075034076547027,
                   0.10088858203453590698, -0.10065743821677635453, 0.072487826976655705825, -0.039332201355199863818,
                   0.015422845668711185443, -0.0035716954393749177451, -0.00011869345896422192711,
                   0.00042509591372423060859, -0.00010817738181343191335, -0.000026437458697107660482,
                   0.000019392448283206475109, 5.3739707161645317573e-7, -2.8632035093676177426e-6,
                   1.7201057336452567531e-7, 4.3678124540552262999e-7, -3.2724972571704495906e-8,
                   -6.9559571448607496286e-8, -1.1252541842437079575e-9, 8.5275933519841044311e-9,
                   1.7370737348015927955e-9);
}

// The standard normal distribution function, (1 + erf(x / sqrt 2)) / 2, with full relative accuracy in its lower tail.
template <class T>
HL_INLINE Vec<T> normal_cdf(Vec<T> x) {
  using V = Vec<T>;
  const V a = min(V(MathConstants<T>::kNormalMost), abs(x));
  const V tail = exp_half_square(a) * (normal_tail_polynomial(a) / (V(1) + a + a));
  return select(x < V(0), tail, V(1) - tail);
}

// 2 / sqrt(pi) (1 - z / 3 + z^2 / 10 - ..), z = x^2: erf(x) / x for |x| <= 1/2.
HL_INLINE Vec<float> erf_near(Vec<float> z) {
  return horner(z, Vec<float>(1.128379167f), -0.376126389f, 0.1128379167f, -0.02686617065f, 0.005223977625f,
                -0.0008548327023f, 0.0001205533298f, -1.492565036e-05f);
}
HL_INLINE Vec<double> erf_near(Vec<double> z) {
  return horner(z, Vec<double>(1.1283791670955125586), -0.37612638903183753802, 0.11283791670955126141,
                -0.02686617064513125222, 0.0052239776254421879317, -0.00085483270234508522498,
                0.00012055332981789663603, -1.4925650358406250353e-05, 1.6462114365889246339e-06,
                -1.6365844691234924468e-07, 1.4807192815879217565e-08, -1.2290555301717926283e-09,
                9.4227590646504112529e-11);
}

// At most 4 ULP off, near 0 too.
template <class T>
HL_INLINE Vec<T> erf(Vec<T> x) {
  using V = Vec<T>;
  const V a = min(V(MathConstants<T>::kNormalMost), V(T(1.41421356237309504880)) * abs(x));
  const V tail = exp_half_square(a) * (normal_tail_polynomial(a) / (V(1) + a + a));
  return select(abs(x) < V(T(0.5)), x * erf_near(x * x), copysign(V(1) - (tail + tail), x));
}
