"""C99 text: what each op is there, by the formulas of csrc/ops, and the helper functions that a file may need."""

from __future__ import annotations

import math
import re

import numpy as np

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const const_cast
    constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false float for
    friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
    public register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast
    struct switch template this thread_local throw true try typedef typeid typename typeof union unsigned using virtual
    void volatile wchar_t while xor xor_eq
"""  # of C and C++, which reads the header
_MATH = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma fmax
    fmin fmod frexp gamma hypot ilogb j0 j1 jn ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf
    nan nearbyint nextafter nexttoward pow remainder remquo rint round scalbln scalbn signgam sin sinh sqrt tan tanh
    tgamma trunc y0 y1 yn
"""  # each also with f and l behind it
_LIBRARY = """
    abort abs atexit calloc div exit fclose fopen fprintf fputs free fscanf fpclassify fwrite getc getenv index isfinite
    isgreater isinf isless isnan isnormal isunordered labs main malloc memchr memcmp memcpy memmove memset printf putc
    putchar puts qsort rand read realloc remove rename rindex scanf signbit snprintf sprintf srand sscanf strcat strchr
    strcmp strcpy strlen strncmp strstr strtok system time vprintf write HUGE_VAL INFINITY NAN NULL offsetof
"""
# {0}, {1}, {2} are operands, {alpha}, {beta}, {gamma} parameters.
ACTIVATIONS = {
    "relu": "{0} < 0.0f ? 0.0f : {0}",
    "relu6": "clip({0}, 0.0f, 6.0f)",
    "leaky_relu": "{0} < 0.0f ? {alpha} * {0} : {0}",
    "elu": "{0} > 0.0f ? {0} : {alpha} * expm1f({0})",
    "selu": "{0} > 0.0f ? 1.05070099f * {0} : 1.75809934f * expm1f({0})",
    "celu": "{0} > 0.0f ? {0} : {alpha} * expm1f({0} / {alpha})",
    "sigmoid": "1.0f / (1.0f + expf(-{0}))",
    "log_sigmoid": "-softplus(-{0})",
    "hard_sigmoid": "clip(({0} + 3.0f) / 6.0f, 0.0f, 1.0f)",
    "sparse_sigmoid": "clip(({0} + 1.0f) * 0.5f, 0.0f, 1.0f)",
    "tanh": "tanhf({0})",
    "hard_tanh": "clip({0}, -1.0f, 1.0f)",
    "softplus": "softplus({0})",
    "sparse_plus": "{0} <= -1.0f ? 0.0f : {0} < 1.0f ? 0.25f * ({0} + 1.0f) * ({0} + 1.0f) : {0}",
    "squareplus": "squareplus({0}, {alpha})",
    "softsign": "{0} / (1.0f + fabsf({0}))",
    "exponential": "expf({0})",
    "soft_shrink": "{0} > {alpha} ? {0} - {alpha} : {0} < -{alpha} ? {0} + {alpha} : 0.0f",
    "hard_shrink": "fabsf({0}) <= {alpha} ? 0.0f : {0}",
    "gelu": "0.5f * {0} * erfcf(-0.707106781f * {0})",
    "gelu_tanh": "{0} / (1.0f + expf(-1.59576912f * {0} * (1.0f + 0.044715f * {0} * {0})))",
    "silu": "{0} / (1.0f + expf(-{0}))",
    "hard_silu": "{0} * clip(({0} + 3.0f) / 6.0f, 0.0f, 1.0f)",
    "mish": "{0} * tanhf(softplus({0}))",
    "tanh_shrink": "{0} - tanhf({0})",
    "threshold": "{0} <= {alpha} ? {beta} : {0}",
    "rectify": "{0} >= {gamma} ? {gamma} : {0} > {beta} ? {0} : {alpha} * ({0} - {beta})",
}
ELEMENTWISE = {
    "negative": "-{0}",
    "abs": "fabsf({0})",
    "sign": "{0} > 0.0f ? 1.0f : {0} < 0.0f ? -1.0f : {0}",
    "square": "{0} * {0}",
    "sqrt": "sqrtf({0})",
    "rsqrt": "1.0f / sqrtf({0})",
    "reciprocal": "1.0f / {0}",
    "exp": "expf({0})",
    "expm1": "expm1f({0})",
    "log": "logf({0})",
    "log1p": "log1pf({0})",
    "sin": "sinf({0})",
    "cos": "cosf({0})",
    "tan": "tanf({0})",
    "arcsin": "asinf({0})",
    "arccos": "acosf({0})",
    "arctan": "atanf({0})",
    "erf": "erff({0})",
    "sinh": "sinhf({0})",
    "cosh": "coshf({0})",
    "tanh": "tanhf({0})",
    "arcsinh": "asinhf({0})",
    "arccosh": "acoshf({0})",
    "arctanh": "atanhf({0})",
    "floor": "floorf({0})",
    "ceil": "ceilf({0})",
    "round": "rintf({0})",
    "logical_not": "{0} == 0.0f",
    "isnan": "{0} != {0}",
    "isfinite": "{0} - {0} == 0.0f",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "power": "powf({0}, {1})",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
    "mod": "{0} - floorf({0} / {1}) * {1}",
    "floor_divide": "floorf({0} / {1})",
    "arctan2": "atan2f({0}, {1})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "logical_and": "{0} != 0.0f && {1} != 0.0f",
    "logical_or": "{0} != 0.0f || {1} != 0.0f",
    "second": "{1}",
    "where": "{0} != 0.0f ? {1} : {2}",
}

HELPERS = {
    "clip": """
static float clip(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
""",
    "softplus": """
static float softplus(float x) { return x > 0.0f ? x + log1pf(expf(-x)) : log1pf(expf(x)); }
""",
    "squareplus": """
static float squareplus(float x, float b)
{
    const float size = fabsf(x), root = size > 1e18f ? size : sqrtf(x * x + b);
    return x < 0.0f ? 0.5f * b / (root - x) : 0.5f * x + 0.5f * root;
}
""",
    "dense": """
/* y (m,n) = x (m,k) w (k,n) + b */
static void dense(size_t m, size_t k, size_t n, const float *x, const float *w, const float *b, float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        for (size_t j = 0; j < n; ++j) y[j] = b ? b[j] : 0.0f;
        for (size_t i = 0; i < k; ++i)
            for (size_t j = 0; j < n; ++j) y[j] += x[i] * w[i * n + j];
    }
}
""",
    "dense_rows": """
/* The same for a w of which only the rows `row` are not zero. */
static void dense_rows(size_t m, size_t k, size_t n, size_t rows, const uint16_t *row, const float *x, const float *w,
                       const float *b, float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        for (size_t j = 0; j < n; ++j) y[j] = b ? b[j] : 0.0f;
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < n; ++j) y[j] += x[row[i]] * w[i * n + j];
    }
}
""",
    "dense_sparse": """
/* The same for a w that is mostly zero: row i has the elements first[i] to first[i + 1] - 1, in these columns. */
static void dense_sparse(size_t m, size_t k, size_t n, const uint32_t *first, const uint16_t *column, const float *x,
                         const float *w, const float *b, float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        for (size_t j = 0; j < n; ++j) y[j] = b ? b[j] : 0.0f;
        for (size_t i = 0; i < k; ++i)
            for (size_t e = first[i]; e < first[i + 1]; ++e) y[column[e]] += x[i] * w[e];
    }
}
""",
    "quantize": """
/* x = scale q, the largest |q| is 127; a row that is not finite has the scale NaN */
static float quantize(size_t k, const float *x, int8_t *q)
{
    float most = 0.0f;
    for (size_t i = 0; i < k; ++i)
        if (fabsf(x[i]) > most || x[i] != x[i]) most = fabsf(x[i]);
    if (!(most > 0.0f && most <= 3.402823466e+38f)) {
        memset(q, 0, k);
        return most == 0.0f ? 0.0f : NAN;
    }
    for (size_t i = 0; i < k; ++i) q[i] = (int8_t)rintf(x[i] / most * 127.0f);
    return most / 127.0f;
}
""",
    "dense_int8": """
/* y (m,n) = x (m,k) w^T + b, w (n,k) with a scale for each of its rows; q (k) is scratch */
static void dense_int8(size_t m, size_t k, size_t n, const float *x, const int8_t *w, const float *scale,
                       const float *b, int8_t *q, float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        const float size = quantize(k, x, q);
        for (size_t j = 0; j < n; ++j) {
            int32_t sum = 0;
            for (size_t i = 0; i < k; ++i) sum += (int32_t)q[i] * w[j * k + i];
            y[j] = (float)sum * (size * scale[j]) + (b ? b[j] : 0.0f);
        }
    }
}
""",
    "dense_int8_columns": """
/* The same for a w of which only the columns `column` are not zero. */
static void dense_int8_columns(size_t m, size_t k, size_t n, size_t columns, const uint16_t *column, const float *x,
                               const int8_t *w, const float *scale, const float *b, int8_t *q, float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        const float size = quantize(k, x, q);
        for (size_t j = 0; j < n; ++j) {
            int32_t sum = 0;
            for (size_t i = 0; i < columns; ++i) sum += (int32_t)q[column[i]] * w[j * columns + i];
            y[j] = (float)sum * (size * scale[j]) + (b ? b[j] : 0.0f);
        }
    }
}
""",
    "dense_int8_sparse": """
/* The same for a w that is mostly zero: row j has the elements first[j] to first[j + 1] - 1, in these columns. */
static void dense_int8_sparse(size_t m, size_t k, size_t n, const uint32_t *first, const uint16_t *column,
                              const float *x, const int8_t *w, const float *scale, const float *b, int8_t *q,
                              float *restrict y)
{
    for (; m > 0; --m, x += k, y += n) {
        const float size = quantize(k, x, q);
        for (size_t j = 0; j < n; ++j) {
            int32_t sum = 0;
            for (size_t e = first[j]; e < first[j + 1]; ++e) sum += (int32_t)q[column[e]] * w[e];
            y[j] = (float)sum * (size * scale[j]) + (b ? b[j] : 0.0f);
        }
    }
}
""",
    "softmax": """
static void softmax(size_t m, size_t n, const float *x, float *y)
{
    for (; m > 0; --m, x += n, y += n) {
        float most = x[0], sum = 0.0f;
        for (size_t j = 1; j < n; ++j) most = x[j] > most ? x[j] : most;
        for (size_t j = 0; j < n; ++j) sum += y[j] = expf(x[j] - most);
        for (size_t j = 0; j < n; ++j) y[j] /= sum;
    }
}
""",
    "log_softmax": """
static void log_softmax(size_t m, size_t n, const float *x, float *y)
{
    for (; m > 0; --m, x += n, y += n) {
        float most = x[0], sum = 0.0f;
        for (size_t j = 1; j < n; ++j) most = x[j] > most ? x[j] : most;
        for (size_t j = 0; j < n; ++j) sum += expf(x[j] - most);
        for (size_t j = 0; j < n; ++j) y[j] = x[j] - most - logf(sum);
    }
}
""",
    "layer_norm": """
static void layer_norm(size_t m, size_t n, float epsilon, const float *x, const float *gamma, const float *beta,
                       float *y)
{
    for (; m > 0; --m, x += n, y += n) {
        float mean = 0.0f, square = 0.0f;
        for (size_t j = 0; j < n; ++j) mean += x[j];
        mean /= (float)n;
        for (size_t j = 0; j < n; ++j) square += (x[j] - mean) * (x[j] - mean);
        square = 1.0f / sqrtf(square / (float)n + epsilon);
        for (size_t j = 0; j < n; ++j)
            y[j] = (x[j] - mean) * square * (gamma ? gamma[j] : 1.0f) + (beta ? beta[j] : 0.0f);
    }
}
""",
    "reduce_sum": """
/* y (outer,inner) = sum of x (outer,size,inner), over size */
static void reduce_sum(size_t outer, size_t size, size_t inner, float factor, const float *x, float *y)
{
    for (; outer > 0; --outer, x += size * inner, y += inner)
        for (size_t i = 0; i < inner; ++i) {
            float sum = 0.0f;
            for (size_t k = 0; k < size; ++k) sum += x[k * inner + i];
            y[i] = sum * factor;
        }
}
""",
    "reduce_max": """
/* y (outer,inner) = the largest of x (outer,size,inner), over size, times sign, where sign is -1 for the smallest */
static void reduce_max(size_t outer, size_t size, size_t inner, float sign, const float *x, float *y)
{
    for (; outer > 0; --outer, x += size * inner, y += inner)
        for (size_t i = 0; i < inner; ++i) {
            y[i] = x[i];
            for (size_t k = 1; k < size; ++k) {
                const float next = x[k * inner + i];
                y[i] = sign * next > sign * y[i] || next != next ? next : y[i];
            }
        }
}
""",
    "argmax": """
static void argmax(size_t outer, size_t size, size_t inner, float sign, const float *x, float *y)
{
    for (; outer > 0; --outer, x += size * inner, y += inner)
        for (size_t i = 0; i < inner; ++i) {
            size_t best = 0;
            for (size_t k = 1; k < size; ++k)
                if (sign * x[k * inner + i] > sign * x[best * inner + i]) best = k;
            y[i] = (float)best;
        }
}
""",
    "argsort": """
/* sign -1: the largest first */
static void argsort(size_t outer, size_t size, size_t inner, float sign, const float *x, float *y)
{
    for (; outer > 0; --outer, x += size * inner, y += size * inner)
        for (size_t i = 0; i < inner; ++i)
            for (size_t k = 0; k < size; ++k) {
                size_t at = k;
                const float new = sign * x[k * inner + i];
                for (; at > 0 && new < sign * x[(size_t)y[(at - 1) * inner + i] * inner + i]; --at)
                    y[at * inner + i] = y[(at - 1) * inner + i];
                y[at * inner + i] = (float)k;
            }
}
""",
    "cumsum": """
static void cumsum(size_t outer, size_t size, size_t inner, const float *x, float *y)
{
    for (; outer > 0; --outer, x += size * inner, y += size * inner)
        for (size_t i = 0; i < inner; ++i) {
            float sum = 0.0f;
            for (size_t k = 0; k < size; ++k) y[k * inner + i] = sum += x[k * inner + i];
        }
}
""",
    "take": """
/* y (outer,picked,inner): elements of x (outer,size,inner) by their places; -1 is the last */
static void take(size_t outer, size_t size, size_t inner, size_t picked, const float *x, const float *index, float *y)
{
    for (; outer > 0; --outer, x += size * inner, index += picked * inner, y += picked * inner)
        for (size_t i = 0; i < picked * inner; ++i) {
            const float place = truncf(index[i]) + (truncf(index[i]) < 0.0f ? (float)size : 0.0f);
            const int inside = place >= 0.0f && place < (float)size;
            y[i] = inside ? x[(size_t)place * inner + i % inner] : NAN;
        }
}
""",
    "embedding": """
/* Rows of a table (size,n) by their codes; zeros for a code outside of it. */
static void embedding(size_t codes, size_t size, size_t n, const float *x, const float *table, float *y)
{
    for (size_t c = 0; c < codes; ++c, y += n) {
        if (x[c] >= 0.0f && x[c] < (float)size)
            memcpy(y, table + (size_t)x[c] * n, n * sizeof *y);
        else
            memset(y, 0, n * sizeof *y);
    }
}
""",
    "one_hot": """
/* y (groups,tokens): whether, or how often, each of `codes` codes is there */
static void one_hot(size_t groups, size_t codes, size_t tokens, int count, const float *x, float *y)
{
    memset(y, 0, groups * tokens * sizeof *y);
    for (; groups > 0; --groups, x += codes, y += tokens)
        for (size_t c = 0; c < codes; ++c)
            if (x[c] >= 0.0f && x[c] < (float)tokens) y[(size_t)x[c]] = count ? y[(size_t)x[c]] + 1.0f : 1.0f;
}
""",
}


def is_taken(name: str) -> bool:
    """Whether a function of this name would be a keyword, or collide with C's library or with what files define."""
    words = {*HELPERS, *_KEYWORDS.split(), *_LIBRARY.split(), *(f + suffix for f in _MATH.split() for suffix in " fl")}
    reserved = r"_[A-Z_].*|.*_t|U?INT\w*_(MAX|MIN|C)|HUGE_VAL[FL]|w\d.*"  # w3: an array of weights
    return name in {word.strip() for word in words} or re.fullmatch(reserved, name) is not None


def comment(text: str) -> str:
    """What may stand in a comment: what is printed, and nothing that begins or ends one."""
    return "".join(c if c.isprintable() else " " for c in text).replace("*/", "").replace("/*", "")


def helpers_for(text: str) -> str:
    """The helpers that are called in the text, and those that they call, each after what it calls."""
    found: dict[str, None] = {}

    def add(calls: str) -> None:
        for name in HELPERS:
            if name not in found and re.search(rf"\b{name}\(", calls):
                body = HELPERS[name].partition("{")[2]
                add(body)
                found[name] = None

    add(text)
    return "".join(HELPERS[name] for name in found)


def number(value: float) -> str:
    """A float constant, exact for a float32."""
    text = f"{np.float32(value):.9g}"
    if value != value:
        return "NAN"
    if math.isinf(float(value)):
        return "-INFINITY" if value < 0 else "INFINITY"
    return text + ("f" if "." in text or "e" in text else ".0f")


def array(name: str, values: np.ndarray) -> str:
    """The definition of a constant array."""
    kind = "float" if values.dtype.kind == "f" else f"{values.dtype.name}_t"
    flat = values.ravel()
    texts = [number(v) for v in flat.tolist()] if values.dtype.kind == "f" else [str(v) for v in flat.tolist()]
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) > 116:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return f"static const {kind} {name}[{len(texts)}] = {{\n" + "\n".join([*lines, line]) + "\n};\n"


def identifier(text: str) -> str:
    """A name like this one that C takes behind a letter."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)
