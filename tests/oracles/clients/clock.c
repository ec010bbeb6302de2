// The moment CLOCK_AT (Unix seconds) as the time of day, for browsers, which do not run under faketime.
// Monotonic clocks go on.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t moment(void) {
    const char *at = getenv("CLOCK_AT");
    return at ? atoll(at) : 0;
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
