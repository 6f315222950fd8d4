/*
 * The peer of an import: copies every row of a history database into a new one of the same schema with SQLite's C
 * API (bind, step, reset; one transaction, no journal) and prints rows and CPU seconds. Reading is not counted: rows
 * are read in batches, and only what is done to the new database is timed.
 *
 *   insert_peer HISTORY NEW before|after     the indexes are created before the rows or after them
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH_ROWS = 50000, MAX_COLUMNS = 64 };

struct cell {
    int type;
    int length;
    sqlite3_int64 integer;
    char *bytes;
};

static sqlite3 *source, *target;
static double seconds;
static long long rows;

static void fail(sqlite3 *database) {
    fprintf(stderr, "insert_peer: %s\n", sqlite3_errmsg(database));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void run(const char *sql) {
    double start = now();
    if (sqlite3_exec(target, sql, NULL, NULL, NULL) != SQLITE_OK) fail(target);
    seconds += now() - start;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) fail(database);
    return statement;
}

/* Creates what the history's schema holds of a type: "table" or "index". */
static void create(const char *type) {
    sqlite3_stmt *names = prepare(source,
        "SELECT sql FROM sqlite_schema WHERE type = ?1 AND name LIKE 'kt\\_%' ESCAPE '\\' AND sql IS NOT NULL");
    sqlite3_bind_text(names, 1, type, -1, SQLITE_STATIC);
    while (sqlite3_step(names) == SQLITE_ROW) run((const char *)sqlite3_column_text(names, 0));
    sqlite3_finalize(names);
}

static void insert(sqlite3_stmt *statement, const struct cell *cells, int count, int columns) {
    double start = now();
    for (int row = 0; row < count; row++) {
        for (int i = 0; i < columns; i++) {
            const struct cell *c = &cells[row * columns + i];
            if (c->type == SQLITE_INTEGER) sqlite3_bind_int64(statement, i + 1, c->integer);
            else if (c->type == SQLITE_TEXT) sqlite3_bind_text(statement, i + 1, c->bytes, c->length, SQLITE_STATIC);
            else if (c->type == SQLITE_BLOB) sqlite3_bind_blob(statement, i + 1, c->bytes, c->length, SQLITE_STATIC);
            else sqlite3_bind_null(statement, i + 1);
        }
        if (sqlite3_step(statement) != SQLITE_DONE) fail(target);
        sqlite3_reset(statement);
    }
    seconds += now() - start;
    rows += count;
}

static void copy(const char *table) {
    static struct cell cells[BATCH_ROWS * MAX_COLUMNS];
    char sql[512];
    snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    sqlite3_stmt *select = prepare(source, sql);
    int columns = sqlite3_column_count(select);
    int length = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES(?", table);
    for (int i = 1; i < columns; i++) length += snprintf(sql + length, sizeof sql - length, ",?");
    snprintf(sql + length, sizeof sql - length, ")");
    sqlite3_stmt *statement = prepare(target, sql);
    int more = 1;
    while (more) {
        int count = 0;
        while (count < BATCH_ROWS && (more = sqlite3_step(select) == SQLITE_ROW)) {
            for (int i = 0; i < columns; i++) {
                struct cell *c = &cells[count * columns + i];
                c->type = sqlite3_column_type(select, i);
                c->integer = c->type == SQLITE_INTEGER ? sqlite3_column_int64(select, i) : 0;
                const void *bytes = c->type == SQLITE_INTEGER ? NULL : sqlite3_column_blob(select, i);
                c->length = bytes ? sqlite3_column_bytes(select, i) : 0;
                c->bytes = bytes ? memcpy(malloc(c->length), bytes, c->length) : NULL;
            }
            count++;
        }
        insert(statement, cells, count, columns);
        for (int i = 0; i < count * columns; i++) free(cells[i].bytes);
    }
    sqlite3_finalize(select);
    sqlite3_finalize(statement);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: insert_peer HISTORY NEW before|after\n");
        return 2;
    }
    int before = strcmp(argv[3], "before") == 0;
    if (sqlite3_open_v2(argv[1], &source, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) fail(source);
    if (sqlite3_open(argv[2], &target) != SQLITE_OK) fail(target);
    run("PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN");
    create("table");
    if (before) create("index");
    sqlite3_stmt *tables = prepare(source,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kt\\_%' ESCAPE '\\'");
    while (sqlite3_step(tables) == SQLITE_ROW) copy((const char *)sqlite3_column_text(tables, 0));
    if (!before) create("index");
    run("COMMIT");
    printf("%lld %.6f\n", rows, seconds);
    return 0;
}
