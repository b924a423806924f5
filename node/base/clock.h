/* clock - the three clocks of a node. Pure code never reads them: time is an argument there. */
#ifndef NODE_BASE_CLOCK_H
#define NODE_BASE_CLOCK_H

#include <stdint.h>

/** CLOCK_MONOTONIC: for durations and timers inside one process. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/** CLOCK_BOOTTIME: goes on while the machine is suspended; for leases. */
uint64_t clock_boot_ms(void);
/** CLOCK_REALTIME: labels only (log lines, delay stamps). */
uint64_t clock_wall_ms(void);

#endif
