/* The stand-in's own interface, beside HIP's: switches and counters for tests that live in the same process. The library is
   usually opened with dlopen(), and these two are found with dlsym(). */
#ifndef CONVOY_SIM_H
#define CONVOY_SIM_H

#ifdef __cplusplus
extern "C" {
#endif

/* "late=1;fail=hipMalloc:3,hipFree:1:999;devices=gfx1010,gfx1010"; docs/sim.md lists the switches. What is not named stays.
   0: done. -1: the text is wrong, nothing has changed, and the report's last note says why. */
int convoy_sim_configure(const char* text);

/* What the process has done so far, as lines: "call hipMalloc 3", "launches 1", "leak hipMalloc device 0 4096", "note ...".
   Valid until the same thread's next call. */
const char* convoy_sim_report(void);

#ifdef __cplusplus
}
#endif

#endif
