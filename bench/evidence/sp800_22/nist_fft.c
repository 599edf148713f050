// Discrete Fourier transform, own code: Stockham's self-sorting form for lengths of factors 2, 3, 4
// and 5, Bluestein's convolution for the others.
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/sp800_22/nist_internal.h"

typedef struct number {
    double re, im;
} number;

#define MOST_FACTORS 64

struct orr_fft {
    size_t count;
    unsigned factors, factor[MOST_FACTORS];
    number *roots; // e^(-2 pi i k / count), k < count
    number *other; // the second buffer of `count` numbers
    // Bluestein: a longer transform, the chirp e^(-pi i k^2 / count), and the transformed filter.
    struct orr_fft *longer;
    number *chirp, *filter, *work;
};

static inline number plus(number a, number b) {
    return (number){a.re + b.re, a.im + b.im};
}
static inline number minus(number a, number b) {
    return (number){a.re - b.re, a.im - b.im};
}
static inline number times(number a, number b) {
    return (number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
static inline number scaled(number a, double s) {
    return (number){a.re * s, a.im * s};
}
static inline number turned(number a) {
    return (number){a.im, -a.re};
} // times -i

// a[0 .. radix) becomes its own transform.
static inline __attribute__((always_inline)) void butterfly(number *a, unsigned radix) {
    if (radix == 2) {
        number sum = plus(a[0], a[1]);
        a[1] = minus(a[0], a[1]);
        a[0] = sum;
    } else if (radix == 3) {
        const double half_root = 0.86602540378443864676; // sin(2 pi / 3)
        number sum = plus(a[1], a[2]), middle = minus(a[0], scaled(sum, 0.5));
        number side = turned(scaled(minus(a[1], a[2]), half_root));
        a[0] = plus(a[0], sum);
        a[1] = plus(middle, side);
        a[2] = minus(middle, side);
    } else if (radix == 4) {
        number even = plus(a[0], a[2]), odd = minus(a[0], a[2]);
        number sum = plus(a[1], a[3]), side = turned(minus(a[1], a[3]));
        a[0] = plus(even, sum);
        a[1] = plus(odd, side);
        a[2] = minus(even, sum);
        a[3] = minus(odd, side);
    } else {
        const double c1 = 0.30901699437494742410, c2 = -0.80901699437494742410; // cos(2 pi k / 5)
        const double s1 = 0.95105651629515357212, s2 = 0.58778525229247312917;  // sin(2 pi k / 5)
        number sum1 = plus(a[1], a[4]), sum2 = plus(a[2], a[3]);
        number gap1 = minus(a[1], a[4]), gap2 = minus(a[2], a[3]);
        number near1 = plus(a[0], plus(scaled(sum1, c1), scaled(sum2, c2)));
        number near2 = plus(a[0], plus(scaled(sum1, c2), scaled(sum2, c1)));
        number side1 = turned(plus(scaled(gap1, s1), scaled(gap2, s2)));
        number side2 = turned(minus(scaled(gap1, s2), scaled(gap2, s1)));
        a[0] = plus(a[0], plus(sum1, sum2));
        a[1] = plus(near1, side1);
        a[4] = minus(near1, side1);
        a[2] = plus(near2, side2);
        a[3] = minus(near2, side2);
    }
}

// One pass: `stride` transforms lie interleaved in `from`, each of radix * groups numbers.
static inline __attribute__((always_inline)) void pass(const number *restrict from,
                                                       number *restrict to, const number *roots,
                                                       size_t groups, size_t stride,
                                                       unsigned radix) {
    for (size_t p = 0; p < groups; p++) {
        number twiddle[5];
        for (unsigned k = 1; k < radix; k++) twiddle[k] = roots[k * p * stride];
        for (size_t q = 0; q < stride; q++) {
            number a[5];
            for (unsigned k = 0; k < radix; k++) a[k] = from[q + stride * (p + k * groups)];
            butterfly(a, radix);
            number *out = to + q + stride * radix * p;
            out[0] = a[0];
            for (unsigned k = 1; k < radix; k++) out[k * stride] = times(a[k], twiddle[k]);
        }
    }
}

static void run_direct(const orr_fft *plan, number *z) {
    number *from = z, *to = plan->other;
    size_t stride = 1, left = plan->count;
    for (unsigned f = 0; f < plan->factors; f++) {
        unsigned radix = plan->factor[f];
        left /= radix;
        switch (radix) {
        case 2:
            pass(from, to, plan->roots, left, stride, 2);
            break;
        case 3:
            pass(from, to, plan->roots, left, stride, 3);
            break;
        case 4:
            pass(from, to, plan->roots, left, stride, 4);
            break;
        default:
            pass(from, to, plan->roots, left, stride, 5);
            break;
        }
        stride *= radix;
        number *swap = from;
        from = to;
        to = swap;
    }
    if (from != z) memcpy(z, from, plan->count * sizeof *z);
}

// X_k = chirp_k sum_j (x_j chirp_j) conj(chirp_(k - j)): a convolution, done in a longer transform.
static void run_bluestein(const orr_fft *plan, number *z) {
    size_t n = plan->count, m = plan->longer->count;
    number *work = plan->work;
    for (size_t k = 0; k < n; k++) work[k] = times(z[k], plan->chirp[k]);
    memset(work + n, 0, (m - n) * sizeof *work);
    run_direct(plan->longer, work);
    // The inverse transform is the conjugate of the transform of the conjugate.
    for (size_t k = 0; k < m; k++) {
        number product = times(work[k], plan->filter[k]);
        work[k] = (number){product.re, -product.im};
    }
    run_direct(plan->longer, work);
    for (size_t k = 0; k < n; k++) {
        z[k] = times((number){work[k].re / (double)m, -work[k].im / (double)m}, plan->chirp[k]);
    }
}

static number root_of(size_t k, size_t n) { // e^(-2 pi i k / n)
    double angle = 2 * M_PI * (double)k / (double)n;
    return (number){cos(angle), -sin(angle)};
}

static int factorise(orr_fft *plan) {
    static const unsigned radices[] = {4, 2, 3, 5};
    size_t left = plan->count;
    for (size_t r = 0; r < 4; r++) {
        for (; left % radices[r] == 0; left /= radices[r]) {
            plan->factor[plan->factors++] = radices[r];
        }
    }
    return left == 1;
}

static int prepare_bluestein(orr_fft *plan) {
    size_t n = plan->count, m = 1;
    while (m < 2 * n) m *= 2;
    plan->longer = orr_fft_new(m);
    plan->chirp = malloc(n * sizeof(number));
    plan->filter = calloc(m, sizeof(number));
    plan->work = malloc(m * sizeof(number));
    if (!plan->longer || !plan->chirp || !plan->filter || !plan->work) return 0;
    for (size_t k = 0; k < n; k++) {
        size_t square = (size_t)((unsigned __int128)k * k % (2 * n)); // the angle wraps at 2 pi
        plan->chirp[k] = root_of(square, 2 * n);
        number conjugate = {plan->chirp[k].re, -plan->chirp[k].im};
        plan->filter[k] = conjugate;
        if (k) plan->filter[m - k] = conjugate;
    }
    run_direct(plan->longer, plan->filter);
    return 1;
}

orr_fft *orr_fft_new(size_t count) {
    if (count == 0 || count > (size_t)1 << 40) return NULL;
    orr_fft *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->count = count;
    int ready;
    if (factorise(plan)) {
        plan->roots = malloc(count * sizeof(number));
        plan->other = malloc(count * sizeof(number));
        ready = plan->roots && plan->other;
        for (size_t k = 0; ready && k < count; k++) plan->roots[k] = root_of(k, count);
    } else {
        ready = prepare_bluestein(plan);
    }
    if (ready) return plan;
    orr_fft_free(plan);
    return NULL;
}

void orr_fft_run(orr_fft *plan, double *z) {
    if (plan->longer)
        run_bluestein(plan, (number *)z);
    else
        run_direct(plan, (number *)z);
}

void orr_fft_free(orr_fft *plan) {
    if (!plan) return;
    orr_fft_free(plan->longer);
    free(plan->roots);
    free(plan->other);
    free(plan->chirp);
    free(plan->filter);
    free(plan->work);
    free(plan);
}
