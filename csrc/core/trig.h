// Circular and hyperbolic functions of Vec<float> and Vec<double>, beside those of core/math.h. Included after it, once
// per instruction set.
//
// Largest error: sin, cos 2 ULP of 1 up to the limit below and the C library's beyond; tan, arctan and the others 4 ULP
// of the result (near a zero of tan: of 1). NaN gives NaN, arguments outside the domain give NaN.
//
// Cody and Waite, "Software Manual for the Elementary Functions", 1980 (reduction by pi/2 in three parts); polynomials
// and rational approximations of S. L. Moshier, "Methods and Programs for Mathematical Functions", 1989.

template <class T> struct TrigConstants;
template <> struct TrigConstants<float> {
  static constexpr float kLimit = 8192.0f;  // of the reduction; k times the parts of pi/2 is exact
  static constexpr float kPart1 = 1.5703125f, kPart2 = 4.837512969970703125e-4f, kPart3 = 7.54978995489188216e-8f;
  static constexpr float kHuge = 1e9f;
};
template <> struct TrigConstants<double> {
  static constexpr double kLimit = 1073741824.0;
  static constexpr double kPart1 = 1.570796251296997070312, kPart2 = 7.54978941586159635335e-8,
                          kPart3 = 5.39030285815811905290e-15;
  static constexpr double kHuge = 1e150;
};

HL_INLINE Vec<float> sin_near(Vec<float> r) {
  const Vec<float> z = r * r;
  return fma(r * z, horner(z, Vec<float>(-1.6666654611e-1f), 8.3321608736e-3f, -1.9515295891e-4f), r);
}
HL_INLINE Vec<double> sin_near(Vec<double> r) {
  const Vec<double> z = r * r;
  return fma(r * z,
             horner(z, Vec<double>(-1.66666666666666307295e-1), 8.33333333332211858878e-3, -1.98412698295895385996e-4,
                    2.75573136213857245213e-6, -2.50507477628578072866e-8, 1.58962301576546568060e-10),
             r);
}
HL_INLINE Vec<float> cos_near(Vec<float> r) {
  const Vec<float> z = r * r;
  return fma(z * z, horner(z, Vec<float>(4.166664568298827e-2f), -1.388731625493765e-3f, 2.443315711809948e-5f),
             fnma(Vec<float>(0.5f), z, Vec<float>(1.0f)));
}
HL_INLINE Vec<double> cos_near(Vec<double> r) {
  const Vec<double> z = r * r;
  return fma(z * z,
             horner(z, Vec<double>(4.16666666666665929218e-2), -1.38888888888730564116e-3, 2.48015872888517045348e-5,
                    -2.75573141792967388112e-7, 2.08757008419747316778e-9, -1.13585365213876817300e-11),
             fnma(Vec<double>(0.5), z, Vec<double>(1.0)));
}

// The lanes of y where |x| is beyond the reduction, one by one.
template <class T, class F>
HL_INLINE Vec<T> mend_large(Vec<T> x, Vec<T> y, F scalar) {
  const auto large = abs(x) > Vec<T>(TrigConstants<T>::kLimit);
  if (!any(large)) return y;
  constexpr int kLanes = Vec<T>::kLanes;
  T in[kLanes], out[kLanes];
  x.store(in);
  y.store(out);
  for (int i = 0; i < kLanes; ++i)
    if (in[i] > TrigConstants<T>::kLimit || in[i] < -TrigConstants<T>::kLimit) out[i] = T(scalar(double(in[i])));
  return Vec<T>::load(out);
}

// sin(x + shift pi/2)
template <class T>
HL_INLINE Vec<T> circular(Vec<T> x, int shift) {
  using V = Vec<T>;
  using C = TrigConstants<T>;
  const V magic(T(1.5) * T(int64_t(1) << MathConstants<T>::kMantissaBits));  // adding it leaves k in the mantissa
  const V t = x * V(T(0.63661977236758134308)) + magic, k = t - magic;
  const V r = fnma(k, V(C::kPart3), fnma(k, V(C::kPart2), fnma(k, V(C::kPart1), x)));
  const Bits<T> quadrant = bits(t) + Bits<T>(typename Bits<T>::Int(shift));
  const auto odd = (quadrant & Bits<T>(1)) == Bits<T>(1), low = (quadrant & Bits<T>(2)) == Bits<T>(2);
  const V y = select(odd, cos_near(r), sin_near(r));
  return select(low, -y, y);
}

template <class T>
HL_INLINE Vec<T> sin(Vec<T> x) {
  return mend_large(x, circular(x, 0), [](double v) { return __builtin_sin(v); });
}
template <class T>
HL_INLINE Vec<T> cos(Vec<T> x) {
  return mend_large(x, circular(x, 1), [](double v) { return __builtin_cos(v); });
}
template <class T>
HL_INLINE Vec<T> tan(Vec<T> x) {
  return sin(x) / cos(x);
}

// arctan on |x| <= tan(pi/8)
HL_INLINE Vec<float> arctan_near(Vec<float> x) {
  const Vec<float> z = x * x;
  return fma(x * z,
             horner(z, Vec<float>(-3.33329491539e-1f), 1.99777106478e-1f, -1.38776856032e-1f, 8.05374449538e-2f), x);
}
HL_INLINE Vec<double> arctan_near(Vec<double> x) {
  const Vec<double> z = x * x;
  const Vec<double> p = horner(z, Vec<double>(-6.485021904942025371773e1), -1.228866684490136173410e2,
                               -7.500855792314704667340e1, -1.615753718733365076637e1, -8.750608600031904122785e-1);
  const Vec<double> q = horner(z, Vec<double>(1.945506571482613964425e2), 4.853903996359136964868e2,
                               4.328810604912902668951e2, 1.650270098316988542046e2, 2.485846490142306297962e1, 1.0);
  return fma(x * z, p / q, x);
}
template <class T>
HL_INLINE Vec<T> arctan(Vec<T> x) {
  using V = Vec<T>;
  const V a = abs(x);
  const auto far = a > V(T(2.41421356237309504880)), middle = a > V(T(0.41421356237309504880));
  const V r = select(far, V(-1) / a, select(middle, (a - V(1)) / (a + V(1)), a));
  const V base = select(far, V(T(1.57079632679489661923)), select(middle, V(T(0.78539816339744830962)), V(0)));
  return select(x == V(0), x, copysign(base + arctan_near(r), x));
}
template <class T>
HL_INLINE Vec<T> arcsin(Vec<T> x) {
  return arctan(x / sqrt((Vec<T>(1) - x) * (Vec<T>(1) + x)));
}
template <class T>
HL_INLINE Vec<T> arccos(Vec<T> x) {
  const Vec<T> half = arctan(sqrt((Vec<T>(1) - x) / (Vec<T>(1) + x)));
  return half + half;
}

// The angle of the point (x, y), in [-pi, pi].
template <class T>
HL_INLINE Vec<T> arctan2(Vec<T> y, Vec<T> x) {
  using V = Vec<T>;
  const V across = abs(x), up = abs(y);
  const V most = select(up > across, up, across), least = select(up > across, across, up);
  const V ratio = select(least == most, select(most == V(0), V(0), V(1)), least / most);  // two zeros, two infinities
  const V first = select(up > across, V(T(1.57079632679489661923)) - arctan(ratio), arctan(ratio));
  const V angle = select(copysign(V(1), x) < V(0), V(T(3.14159265358979323846)) - first, first);
  return select((x != x) | (y != y), x + y, copysign(angle, y));
}

template <class T>
HL_INLINE Vec<T> sinh(Vec<T> x) {
  using V = Vec<T>;
  const V e = expm1(abs(x)), y = V(T(0.5)) * (e + e / (e + V(1)));
  return copysign(select(e > V(TrigConstants<T>::kHuge), V(T(0.5)) * e, y), x);
}
template <class T>
HL_INLINE Vec<T> cosh(Vec<T> x) {
  using V = Vec<T>;
  const V e = exp(abs(x));
  return V(T(0.5)) * (e + V(1) / e);
}
template <class T>
HL_INLINE Vec<T> arcsinh(Vec<T> x) {
  using V = Vec<T>;
  const V a = abs(x), square = a * a;
  const V y = log1p(a + square / (V(1) + sqrt(square + V(1))));
  return copysign(select(a > V(TrigConstants<T>::kHuge), log(a) + V(T(0.69314718055994530942)), y), x);
}
template <class T>
HL_INLINE Vec<T> arccosh(Vec<T> x) {
  using V = Vec<T>;
  const V t = x - V(1);
  return select(x > V(TrigConstants<T>::kHuge), log(x) + V(T(0.69314718055994530942)),
                log1p(t + sqrt(t) * sqrt(t + V(2))));
}
template <class T>
HL_INLINE Vec<T> arctanh(Vec<T> x) {
  using V = Vec<T>;
  const V a = abs(x);
  return copysign(V(T(0.5)) * log1p((a + a) / (V(1) - a)), x);
}

// a^b; a negative a takes whole b. The error grows with |b log a|, about that many ULP.
template <class T>
HL_INLINE Vec<T> power(Vec<T> a, Vec<T> b) {
  using V = Vec<T>;
  const V size = exp(b * log(abs(a))), half = V(T(0.5)) * b;
  const V odd = select(floor(half) == half, size, -size);
  const V negative = select(floor(b) == b, odd, V(kNaN<T>));
  const V y = select(a < V(0), negative, size);
  return select((b == V(0)) | (a == V(1)), V(1), y);
}
