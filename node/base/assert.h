/* assert - checks for our own bugs, on in release too; never for what a peer, a disk or an operator
 * can cause. One condition each, without side effects. */
#ifndef NODE_BASE_ASSERT_H
#define NODE_BASE_ASSERT_H

#include <stddef.h>

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            assert_failed(#condition, __FILE__, __LINE__);                                         \
        }                                                                                          \
    } while (0)

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_COUNT(array)                  (sizeof(array) / sizeof((array)[0]))

/** Print the failed condition to stderr and abort. */
_Noreturn void assert_failed(const char *condition, const char *file, int line);
/** End the process at once, after the cause was logged: for what is no bug but leaves no way on, as
 * a disk that can not be read. The cluster is there for that. */
_Noreturn void fail_stop(void);

#endif
