// The moment CLOCK_AT (Unix seconds) as the time of day, for browsers, which do not run under faketime.
// Monotonic clocks go on. Chromium's crash handler keeps the true time: it would poll for ever.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t moment(void) {
    const char *at = getenv("CLOCK_AT");
    if (at && !strstr(program_invocation_short_name, "crashpad")) return atoll(at);
    struct timespec now = {0};
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec = moment();
        now->tv_nsec = 0;
    }
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    now->tv_sec = moment();
    now->tv_usec = 0;
    return 0;
}

time_t time(time_t *now) {
    if (now) *now = moment();
    return moment();
}
