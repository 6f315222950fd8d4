/*
 * The functions behind the x87 transcendental instructions, correctly rounded, by MPFR.
 *
 * Standard input:  records of 22 bytes: function, rounding mode (as in the control word), ST(0), ST(1).
 * Standard output: for each the result, 10 bytes, and 1 where rounding moved it away from zero, else 0.
 *
 * FSIN, FCOS and FPTAN reduce their argument by the 66-bit pi that the processors use; everything else is exact.
 */
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum function { F2XM1, FSIN, FCOS, FPTAN, FYL2X, FYL2XP1, FPATAN };

#define PRECISION 64
#define EXACT 512
/* MPFR's exponents belong to significands in [1/2, 1): the smallest denormal is 2^-16445. */
#define MIN_EXPONENT (-16444)
#define MAX_EXPONENT 16384

static const mpfr_rnd_t modes[] = { MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ };

static mpfr_t a, b, quarter, rest, wide, result;

static long double load(const unsigned char *from)
{
    long double value = 0;
    memcpy(&value, from, 10);
    return value;
}

static mpfr_rnd_t turned(mpfr_rnd_t mode)
{
    return mode == MPFR_RNDD ? MPFR_RNDU : mode == MPFR_RNDU ? MPFR_RNDD : mode;
}

/* The quarter turn of the circle that an angle lies in, and what is left of it. */
static int reduce(void)
{
    long quotient = 0;
    if (mpfr_get_exp(a) < -1) {
        mpfr_set(rest, a, MPFR_RNDN);
        return 0;
    }
    if (mpfr_remquo(rest, &quotient, a, quarter, MPFR_RNDN) != 0)
        abort();
    return (int)(quotient & 3);
}

static int negate(int ternary)
{
    mpfr_neg(result, result, MPFR_RNDN);
    return -ternary;
}

static int sine(int quadrant, mpfr_rnd_t mode)
{
    switch (quadrant & 3) {
    case 0: return mpfr_sin(result, rest, mode);
    case 1: return mpfr_cos(result, rest, mode);
    case 2: return negate(mpfr_sin(result, rest, turned(mode)));
    default: return negate(mpfr_cos(result, rest, turned(mode)));
    }
}

/* b times the logarithm in `wide`, recomputed with more bits until the rounding is certain. */
static int product(int (*logarithm)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t), mpfr_rnd_t mode)
{
    for (mpfr_prec_t bits = 192; bits < 100000; bits *= 2) {
        mpfr_set_prec(wide, bits);
        int inexact = logarithm(wide, a, MPFR_RNDN);
        if (!inexact)
            return mpfr_mul(result, wide, b, mode);
        mpfr_mul(wide, wide, b, MPFR_RNDN);
        if (mpfr_can_round(wide, bits - 3, MPFR_RNDN, mode, PRECISION + (mode == MPFR_RNDN)))
            return mpfr_set(result, wide, mode);
    }
    abort();
}

static int compute(enum function function, mpfr_rnd_t mode)
{
    int quadrant;
    switch (function) {
    case F2XM1: return mpfr_exp2m1(result, a, mode);
    case FSIN: return sine(reduce(), mode);
    case FCOS: return sine(reduce() + 1, mode);
    case FPTAN:
        quadrant = reduce();
        return (quadrant & 1) == 0 ? mpfr_tan(result, rest, mode) : negate(mpfr_cot(result, rest, turned(mode)));
    case FYL2X: return product(mpfr_log2, mode);
    case FYL2XP1: return product(mpfr_log2p1, mode);
    case FPATAN: return mpfr_atan2(result, b, a, mode);
    }
    abort();
}

int main(void)
{
    static unsigned char in[22], out[11];
    mpfr_exp_t least = mpfr_get_emin(), most = mpfr_get_emax();
    mpfr_inits2(EXACT, rest, wide, (mpfr_ptr)0);
    mpfr_inits2(66, quarter, (mpfr_ptr)0);
    mpfr_inits2(PRECISION, a, b, result, (mpfr_ptr)0);
    mpfr_set_str(quarter, "3243F6A8885A308D3", 16, MPFR_RNDN);
    mpfr_div_2ui(quarter, quarter, 65, MPFR_RNDN);
    while (fread(in, sizeof in, 1, stdin) == 1) {
        mpfr_rnd_t mode = modes[in[1] & 3];
        mpfr_set_ld(a, load(in + 2), MPFR_RNDN);
        mpfr_set_ld(b, load(in + 12), MPFR_RNDN);
        int ternary = compute((enum function)in[0], mode);
        mpfr_set_emin(MIN_EXPONENT);
        mpfr_set_emax(MAX_EXPONENT);
        ternary = mpfr_check_range(result, ternary, mode);
        ternary = mpfr_subnormalize(result, ternary, mode);
        long double value = mpfr_get_ld(result, MPFR_RNDN);
        mpfr_set_emin(least);
        mpfr_set_emax(most);
        memcpy(out, &value, 10);
        out[10] = ternary != 0 && (ternary > 0) != (mpfr_signbit(result) != 0);
        fwrite(out, sizeof out, 1, stdout);
    }
    return 0;
}
