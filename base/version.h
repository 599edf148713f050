// Which Orrery this is. The number stands in CMakeLists.txt alone.
#ifndef ORRERY_BASE_VERSION_H
#define ORRERY_BASE_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

const char *orr_version(void); // "0.1.0"
// The commit that was built, 12 digits, with "-dirty" behind them when files had been changed;
// "unknown" outside a git checkout.
const char *orr_commit(void);

#ifdef __cplusplus
}
#endif
#endif
