// XXH3-128 with AVX512.
#define NAME orr_content_digest_avx512
#include "host/container/content_digest_simd.h"
