#include "base/version.h"

#include "version_generated.h"

const char *orr_version(void) {
    return VERSION;
}

const char *orr_commit(void) {
    return COMMIT;
}
