#include "host/container/erasure.h"

#include <stdlib.h>
#include <string.h>

#ifdef ORRERY_HAVE_ISAL
#include <isa-l/erasure_code.h>
#endif

#include "host/container/format.h"

#ifdef ORRERY_HAVE_ISAL

#define TABLE 32 // bytes that ISA-L keeps of a coefficient

orr_status orr_erasure_init(orr_erasure *code, uint32_t data, uint32_t parity, orr_error *error) {
    *code = (orr_erasure){.data = data, .parity = parity};
    if (data < 1 || parity < 1 || data > ORR_ERASURE_ROWS || parity > ORR_ERASURE_ROWS - data)
        return orr_fail(error, ORR_UNSUPPORTED, "repair data of %u and %u rows in a group", data,
                        parity);
    code->matrix = malloc((size_t)parity * data);
    code->tables = malloc((size_t)parity * data * TABLE);
    if (!code->matrix || !code->tables) return orr_fail(error, ORR_INTERNAL, "out of memory");
    for (uint32_t p = 0; p < parity; p++)
        for (uint32_t r = 0; r < data; r++)
            code->matrix[p * data + r] = gf_inv((unsigned char)((data + p) ^ r));
    ec_init_tables((int)data, (int)parity, code->matrix, code->tables);
    return ORR_OK;
}

void orr_erasure_add(const orr_erasure *code, uint32_t row, uint32_t first, uint32_t count,
                     const uint8_t *page, uint8_t *const *sums) {
    ec_encode_data_update(ORR_PAGE, (int)code->data, (int)count, (int)row,
                          code->tables + (size_t)first * code->data * TABLE, (uint8_t *)page,
                          (uint8_t **)sums);
}

// The inverse of the coefficients that the lost rows have in the used ones, into code->inverse.
static orr_status invert(orr_erasure *code, uint32_t count, const uint8_t *lost,
                         const uint8_t *used, orr_error *error) {
    orr_status status = ORR_INTERNAL;
    uint8_t *square = malloc((size_t)2 * count * count);
    uint8_t *inverse = square ? square + (size_t)count * count : NULL;
    code->lost_count = 0;
    free(code->inverse);
    code->inverse = malloc((size_t)TABLE * count * count);
    if (!square || !code->inverse) {
        orr_fail(error, status, "out of memory");
        goto end;
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++)
            square[i * count + j] = code->matrix[used[i] * code->data + lost[j]];
    if (gf_invert_matrix(square, inverse, (int)count)) { // a part of a Cauchy matrix has an inverse
        orr_fail(error, status, "a matrix of the repair data has no inverse");
        goto end;
    }
    ec_init_tables((int)count, (int)count, inverse, code->inverse);
    memcpy(code->lost, lost, count);
    memcpy(code->used, used, count);
    code->lost_count = count;
    status = ORR_OK;
end:
    free(square);
    return status;
}

orr_status orr_erasure_solve(orr_erasure *code, uint32_t count, const uint8_t *lost,
                             const uint8_t *used, uint8_t *const *syndromes, uint8_t *const *pages,
                             orr_error *error) {
    if (count > code->data || count > code->parity)
        return orr_fail(error, ORR_INTERNAL, "more rows to repair than there are");
    if (count == 0) return ORR_OK;
    if (count != code->lost_count || memcmp(lost, code->lost, count) != 0 ||
        memcmp(used, code->used, count) != 0) {
        orr_status status = invert(code, count, lost, used, error);
        if (status != ORR_OK) return status;
    }
    ec_encode_data(ORR_PAGE, (int)count, (int)count, code->inverse, (uint8_t **)syndromes,
                   (uint8_t **)pages);
    return ORR_OK;
}

#else // without ISA-L: nothing gets past init

static orr_status missing(orr_error *error) {
    return orr_fail(error, ORR_UNSUPPORTED,
                    "this build has no repair data: build it again where ISA-L is installed "
                    "(libisal-dev)");
}

orr_status orr_erasure_init(orr_erasure *code, uint32_t data, uint32_t parity, orr_error *error) {
    *code = (orr_erasure){.data = data, .parity = parity};
    return missing(error);
}

void orr_erasure_add(const orr_erasure *code, uint32_t row, uint32_t first, uint32_t count,
                     const uint8_t *page, uint8_t *const *sums) {
    (void)code, (void)row, (void)first, (void)count, (void)page, (void)sums;
}

orr_status orr_erasure_solve(orr_erasure *code, uint32_t count, const uint8_t *lost,
                             const uint8_t *used, uint8_t *const *syndromes, uint8_t *const *pages,
                             orr_error *error) {
    (void)code, (void)count, (void)lost, (void)used, (void)syndromes, (void)pages;
    return missing(error);
}

#endif

void orr_erasure_free(orr_erasure *code) {
    free(code->matrix);
    free(code->tables);
    free(code->inverse);
    *code = (orr_erasure){0};
}
