// Greets on `GET /`, and answers JSON with JSON on `POST /json`: a program that speaks CGI. The request is in variables
// and on standard input, the answer goes to standard output, and standard error is the handler's log.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void answer(int status, const char *type) {
    fprintf(stderr, "answered with %d\n", status);
    printf("Status: %d\nContent-Type: %s\n\n", status, type);
}

// The text of `"name": "…"`, escapes and all, so that it can be written into JSON as it is. This finds a name in JSON
// that is well-formed; it is no parser, and does not say what is wrong with the rest.
static const char *name(char *json) {
    char *at = strstr(json, "\"name\"");
    if (!at) return NULL;
    at += strlen("\"name\"");
    at += strspn(at, " \t\r\n");
    if (*at++ != ':') return NULL;
    at += strspn(at, " \t\r\n");
    if (*at++ != '"') return NULL;
    char *end = at;
    while (*end && *end != '"') end += end[0] == '\\' && end[1] ? 2 : 1;
    if (!*end) return NULL;
    *end = '\0';
    return at;
}

int main(void) {
    const char *method = variable("REQUEST_METHOD");
    const char *path = variable("PATH_INFO");
    if (!strcmp(method, "GET") && (!strcmp(path, "/") || !*path)) {
        answer(200, "text/plain");
        puts("Hello from C!");
    } else if (!strcmp(method, "POST") && !strcmp(path, "/json")) {
        char body[65536];
        body[fread(body, 1, sizeof body - 1, stdin)] = '\0';
        const char *who = name(body);
        answer(who ? 200 : 400, who ? "application/json" : "text/plain");
        if (who) printf("{\"greeting\":\"Hello %s, from C!\"}", who);
        else puts("this is no JSON with a name in it");
    } else {
        answer(404, "text/plain");
        printf("nothing at %s\n", path);
    }
    return 0;
}
