// XXH3-128 with AVX2.
#define NAME orr_content_digest_avx2
#include "host/container/content_digest_simd.h"
