#include "tests/sim/operator.h"

#include "tests/sim/loop.h"
#include "tests/sim/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX (1 << 20)
#define RETRY_US         50000

/* The answer's line; false: it did not come. */
static bool exchange(struct net_socket *socket, const char *line, char *out, uint64_t until_us)
{
    size_t len = 0;

    if (net_write(socket, line, strlen(line)) != (ssize_t)strlen(line)) {
        return false;
    }
    while (machine_now_us() < until_us && len < ANSWER_BYTES_MAX - 1) {
        ssize_t count = net_read(socket, out + len, ANSWER_BYTES_MAX - 1 - len);

        if (count > 0) {
            len += (size_t)count;
            out[len] = '\0';
            if (out[len - 1] == '\n') {
                return true;
            }
        } else if (count != -EAGAIN) {
            return false;
        }
        (void)machine_wait(until_us);
    }
    return false;
}

static void wake(void *ctx)
{
    machine_wake(ctx);
}

static struct net_socket *dial(struct sim_host *from, uint32_t number, uint64_t until_us)
{
    const struct sockaddr_in to = net_address(number, LOOP_CONTROL_PORT);
    struct net_socket *socket = net_socket_new(from);

    net_watch(socket, wake, machine_self());
    if (net_connect(socket, &to) == 0) {
        while (!net_is_open(socket) && net_error(socket) == 0 && machine_now_us() < until_us) {
            (void)machine_wait(until_us);
        }
    }
    return socket;
}

/* The whole answer; NULL: there was none. */
static json_t *ask(struct sim_host *from, uint32_t number, const char *verb, json_t *args,
                   uint64_t timeout_us)
{
    uint64_t until_us = machine_now_us() + timeout_us;
    struct net_socket *socket = dial(from, number, until_us);
    json_t *request = json_pack("{s:i,s:s,s:o}", "id", 1, "verb", verb, "args",
                                args == NULL ? json_object() : args);
    char *text = json_dumps(request, JSON_COMPACT);
    char *line = malloc(strlen(text) + 2);
    char *answer = malloc(ANSWER_BYTES_MAX);
    json_t *root = NULL;

    (void)strcpy(line, text);
    (void)strcat(line, "\n");
    if (net_is_open(socket) && exchange(socket, line, answer, until_us)) {
        root = json_loads(answer, 0, NULL);
    }
    net_watch(socket, NULL, NULL);
    net_close(socket);
    free(answer);
    free(line);
    free(text);
    json_decref(request);
    return root;
}

json_t *operator_ask(struct sim_host *from, uint32_t number, const char *verb, json_t *args,
                     uint64_t timeout_us)
{
    json_t *answer = ask(from, number, verb, args, timeout_us);
    json_t *result = json_incref(json_object_get(answer, "result"));

    json_decref(answer);
    return result;
}

static bool is_granted(const json_t *answer, const char *done)
{
    const char *error = json_string_value(json_object_get(answer, "error"));

    return json_is_true(json_object_get(answer, "ok")) ||
           (done != NULL && error != NULL && strcmp(error, done) == 0);
}

bool operator_insist(struct sim_host *from, uint32_t count, const char *verb, json_t *args,
                     const char *done, uint64_t timeout_us)
{
    uint64_t until_us = machine_now_us() + timeout_us;
    bool is_done = false;

    for (uint32_t number = 1; !is_done && machine_now_us() < until_us;
         number = number % count + 1) {
        json_t *answer = ask(from, number, verb, json_incref(args), 5 * UINT64_C(1000000));

        is_done = is_granted(answer, done);
        json_decref(answer);
        if (!is_done) {
            machine_sleep_us(RETRY_US);
        }
    }
    json_decref(args);
    return is_done;
}
