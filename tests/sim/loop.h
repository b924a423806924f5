/* loop - what others than libuv's callers may do with a loop of the machine (uv.c). */
#ifndef TESTS_SIM_LOOP_H
#define TESTS_SIM_LOOP_H

#include <uv.h>

#define LOOP_CONTROL_PORT 1 /* where a control socket is, whatever its path */

/** Let the loop call happen() on its thread, soon. From anywhere. Nothing happens when the program
 * of its host has ended meanwhile. */
void loop_post(uv_loop_t *uv, void (*happen)(void *ctx), void *ctx);
/** A handle that does nothing but wait to be closed. */
void loop_add_passive(uv_loop_t *uv, uv_handle_t *handle, size_t size, uv_handle_type type);

#endif
