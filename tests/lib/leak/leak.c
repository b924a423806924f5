/* leak - a library to preload (LD_PRELOAD): a program that loses something with each connection
 * that it accepts. $LEAK says what: "memory" or "files". For tests that have to find that. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOST_BYTES (64 * 1024)

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

static void lose(const char *what)
{
    if (what != NULL && strcmp(what, "memory") == 0) {
        volatile char *lost = malloc(LOST_BYTES);

        for (size_t i = 0; lost != NULL && i < LOST_BYTES; i++) {
            lost[i] = 1; /* memory that nobody writes to takes none */
        }
    } else if (what != NULL && strcmp(what, "files") == 0) {
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    int accepted = (int)syscall(SYS_accept4, fd, address, len, flags);

    if (accepted >= 0) {
        lose(getenv("LEAK"));
    }
    return accepted;
}
