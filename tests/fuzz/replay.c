/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fuzz target as an ordinary test, without clang: every file of its corpus, then mutations of them that are
 * the same in each run. usage: PROGRAM CORPUS MUTATIONS
 * The inputs are tried in a child, for what it was at when it died to be shown. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "fuzz.h"
#include "seeded.h"

#define FILES_MAX 4096
#define INPUT_MAX 8192

typedef struct Input {
    size_t size;
    uint8_t bytes[INPUT_MAX];
} Input;

static Input *files[FILES_MAX];
static size_t n_files;

static void die(const char *what, const char *name) {
    fprintf(stderr, "%s: %s: %s\n", name, what, strerror(errno));
    exit(2);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void corpus_load(const char *folder) {
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name); /* sorted: the mutations depend on it */

    if (n < 0)
        die("not read", folder);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        if (entries[i]->d_name[0] != '.' && n_files < FILES_MAX) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            FILE *f = fopen(path, "re");
            Input *input = calloc(1, sizeof *input);
            if (!f || !input)
                die("not read", path);
            input->size = fread(input->bytes, 1, sizeof input->bytes, f);
            fclose(f);
            files[n_files++] = input;
        }
        free(entries[i]);
    }
    free(entries);
}

/* In memory of exactly its size, so that a sanitizer sees what runs past it. */
static void try(const Input *input, Input *shown) {
    uint8_t *copy = malloc(input->size ?: 1);
    if (!copy)
        die("no memory", "try");
    memcpy(copy, input->bytes, input->size);
    *shown = *input;
    LLVMFuzzerTestOneInput(copy, input->size);
    free(copy);
}

static void mutate(Input *in, const Rng *rng) {
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 4, 8, 41, 46, 53};
    size_t at = rng_below(rng, in->size + 1), n = 1 + rng_below(rng, 16);
    uint8_t *p = in->bytes + at;

    switch (rng_below(rng, 7)) {
    case 0: /* flip a bit */
        if (at < in->size)
            *p ^= (uint8_t)(1 << rng_below(rng, 8));
        return;
    case 1:
        if (at < in->size)
            *p = edges[rng_below(rng, ARRAY_SIZE(edges))];
        return;
    case 2:
        if (at < in->size)
            *p = (uint8_t)rng_below(rng, 256);
        return;
    case 3: /* end early */
        in->size = at;
        return;
    case 4: /* take bytes out */
        n = MIN(n, in->size - at);
        memmove(p, p + n, in->size - at - n);
        in->size -= n;
        return;
    case 5: /* repeat bytes */
        n = MIN(MIN(n, in->size - at), INPUT_MAX - in->size);
        memmove(p + n, p, in->size - at);
        in->size += n;
        return;
    case 6: { /* go on as another file does */
        const Input *other = files[rng_below(rng, n_files)];
        size_t from = rng_below(rng, other->size + 1);
        n = MIN(other->size - from, INPUT_MAX - at);
        memcpy(p, other->bytes + from, n);
        in->size = at + n;
        return;
    }
    }
}

static void run(size_t mutations, Input *shown) {
    static Input empty, input;
    uint64_t random;
    Rng rng = seeded_rng(&random, 4);

    try(&empty, shown);
    for (size_t i = 0; i < n_files; i++)
        try(files[i], shown);
    for (size_t i = 0; i < mutations; i++) {
        input = *files[rng_below(&rng, n_files)];
        for (size_t k = 1 + rng_below(&rng, 4); k > 0; k--)
            mutate(&input, &rng);
        try(&input, shown);
    }
}

int main(int argc, char **argv) {
    Input *shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    if (argc != 3 || shown == MAP_FAILED)
        die("usage: PROGRAM CORPUS MUTATIONS", argv[0]);
    corpus_load(argv[1]);
    if (n_files == 0)
        die("nothing in it", argv[1]);
    pid_t child = fork();
    if (child == 0) {
        run(strtoul(argv[2], NULL, 10), shown);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        die("fork", argv[0]);
    if (status == 0) {
        printf("%zu files of %s and %s mutations of them\n", n_files, argv[1], argv[2]);
        return 0;
    }
    fprintf(stderr, "died with status %#x at these %zu bytes:\n", (unsigned)status, shown->size);
    for (size_t i = 0; i < shown->size; i++)
        fprintf(stderr, "%02x", shown->bytes[i]);
    fprintf(stderr, "\n");
    return 1;
}
