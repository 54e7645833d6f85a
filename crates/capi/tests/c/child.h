// What a test does that may end its process: in a child.
#ifndef CHILD_H
#define CHILD_H

#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs `crime` in a child that leaves quietly if it survives. Returns how it ended, as `waitpid` tells it, and what it has said
// on its standard error.
static int in_child(void (*crime)(void *), void *data, char *said, size_t room) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        signal(SIGABRT, SIG_DFL);
        crime(data);
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    ssize_t got;
    while (size < room - 1 && (got = read(ends[0], said + size, room - 1 - size)) > 0) size += (size_t)got;
    said[size] = 0;
    close(ends[0]);
    int state;
    CHECK(waitpid(child, &state, 0) == child);
    return state;
}

// Whether a child has aborted with this text.
static bool has_aborted(int state, const char *said, const char *text) {
    return WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT && strstr(said, text);
}

#endif
