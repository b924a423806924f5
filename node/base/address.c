#include "node/base/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *out)
{
    uint32_t port = 0;

    if (*text == '\0') {
        return ERR_MALFORMED;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return ERR_MALFORMED;
        }
        port = port * 10 + (uint32_t)(*text - '0');
        if (port > UINT16_MAX) {
            return ERR_MALFORMED;
        }
    }
    *out = (uint16_t)port;
    return 0;
}

int address_parse(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_len;

    if (colon == NULL) {
        return ERR_MALFORMED;
    }
    host_len = (size_t)(colon - text);
    if (host[0] == '[') {
        if (host_len < 2 || host[host_len - 1] != ']') {
            return ERR_MALFORMED;
        }
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) != NULL) {
        return ERR_MALFORMED; /* an IPv6 literal needs its brackets: where would the port begin? */
    }
    if (host_len == 0 || host_len > ADDRESS_HOST_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    memcpy(out->host, host, host_len);
    out->host[host_len] = '\0';
    return parse_port(colon + 1, &out->port);
}

bool address_numeric(const struct address *address, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        return true;
    }
    return false;
}

int address_lookup(const char *text, struct sockaddr_storage *out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    struct address address;
    char port[8];
    int rc = address_parse(text, &address);

    if (rc != 0 || address_numeric(&address, out)) {
        return rc;
    }
    (void)snprintf(port, sizeof(port), "%u", address.port);
    if (getaddrinfo(address.host, port, &hints, &list) != 0) {
        return ERR_NOT_FOUND;
    }
    memcpy(out, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return 0;
}

socklen_t address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

uint16_t address_port(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
                                          : ntohs(((const struct sockaddr_in *)address)->sin_port);
}
