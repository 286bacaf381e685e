/*
 * Regular expressions in RE2's syntax. A row says what an expression matches
 * as a whole, or that it is none.
 */
#include "config.h"

#include "kit.h"

#include "group/pattern.h"

#include "base/check.h"

static const struct row {
    const char *pattern, *text;
    char want;                   /* y, n, or x: no expression */
} rows[] = {
    {"", "", 'y'}, {"", "a", 'n'}, {"orders", "orders", 'y'},
    {"orders", "orders2", 'n'}, {"orders", "my-orders", 'n'},
    {"orders.*", "orders2", 'y'}, {".*", "", 'y'}, {".+", "", 'n'},
    {"a|bc|", "bc", 'y'}, {"a|bc|", "", 'y'}, {"a|bc|", "b", 'n'},
    {"(a|b)*c", "ababc", 'y'}, {"(?:a|b)+", "abba", 'y'},
    {"(?P<n>a)b", "ab", 'y'}, {"(?<n>a)b", "ab", 'y'},
    {"a{2}", "aa", 'y'}, {"a{2}", "aaa", 'n'}, {"a{2,}", "aaaa", 'y'},
    {"a{1,3}b", "aaab", 'y'}, {"a{1,3}b", "aaaab", 'n'}, {"a{0}b", "b", 'y'},
    {"a{,2}", "a{,2}", 'y'}, {"a{x", "a{x", 'y'}, {"{", "{", 'y'},
    {"a{2}{3}", "", 'x'}, {"a**", "", 'x'}, {"*a", "", 'x'},
    {"a*?b", "aab", 'y'}, {"a+?", "aaa", 'y'}, {"a??", "a", 'y'},
    {"a{1001}", "", 'x'}, {"a{2,1}", "", 'x'},
    {"[a-c]+", "abcabc", 'y'}, {"[^a-c]+", "xyz", 'y'},
    {"[^a-c]+", "xaz", 'n'}, {"[]a]+", "a]a", 'y'}, {"[a-]+", "a-a", 'y'},
    {"[^]a]", "b", 'y'}, {"[c-a]", "", 'x'}, {"[a", "", 'x'},
    {"[[:alpha:]]+", "aZ", 'y'}, {"[[:^alpha:]]", "1", 'y'},
    {"[[:nope:]]", "", 'x'}, {"[\\d_]+", "12_", 'y'}, {"[\\]]", "]", 'y'},
    {"\\d+\\.\\w*", "12.a_b", 'y'}, {"\\D", "1", 'n'}, {"\\s", "\t", 'y'},
    {"\\S\\W", "a-", 'y'}, {"\\pL+", "abc", 'y'}, {"\\p{Lu}", "a", 'n'},
    {"\\P{N}", "1", 'n'}, {"\\p{^N}", "a", 'y'}, {"\\p{Greek}", "a", 'n'},
    {"\\p{Nope}", "", 'x'}, {"\\x41\\x{42}", "AB", 'y'}, {"\\101", "A", 'y'},
    {"\\x4", "", 'x'}, {"\\x{110000}", "", 'x'}, {"\\1", "", 'x'},
    {"\\q", "", 'x'}, {"a\\", "", 'x'}, {"\\.", "a", 'n'},
    {"\\Qa.b*\\E+c", "a.b*", 'n'}, {"\\Qa.b\\E", "a.b", 'y'},
    {"(?i)OrDers", "oRdERS", 'y'}, {"(?i:a)b", "Ab", 'y'},
    {"(?i:a)b", "AB", 'n'}, {"(?i)a(?-i)b", "AB", 'n'},
    {"((?i)a)b", "AB", 'n'}, {"(?i)[a-c]", "B", 'y'},
    {"a.b", "a\nb", 'n'}, {"(?s)a.b", "a\nb", 'y'},
    {"^abc$", "abc", 'y'}, {"a^b", "ab", 'n'}, {"\\Aab\\z", "ab", 'y'},
    {"(?m)a$\\n^b", "a\nb", 'y'}, {"a$\\nb", "a\nb", 'n'},
    {"\\bab\\b-\\Bc", "ab-c", 'n'}, {"\\bab\\b-\\bc", "ab-c", 'y'},
    {"(a", "", 'x'}, {"a)", "", 'x'}, {"(?a)", "", 'x'}, {"(?=a)", "", 'x'},
    {"(?!a)", "", 'x'}, {"(?<=a)b", "", 'x'}, {"(?>a)", "", 'x'},
    {"a++", "", 'x'}, {"(?P=n)", "", 'x'}, {"(a*)*b", "aab", 'y'},
    {"(|a)+", "aaa", 'y'}, {"(a|)*", "", 'y'}, {"\xc3\xa4", "\xc3\xa4", 'y'},
    {"\xc3", "", 'x'}, {"[\xc3\xa4-\xc3\xbc]x", "ax", 'n'},
    {"prod-(?:eu|us)-[0-9]{1,3}\\.events", "prod-us-12.events", 'y'},
};

static void
expressions_match_as_re2_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        const char *fault = NULL;
        struct pattern *p = pattern_new(S(rows[i].pattern), &fault);
        char got = p == NULL ? 'x'
            : pattern_matches(p, S(rows[i].text)) ? 'y' : 'n';

        if (got != rows[i].want) {
            fail_msg("\"%s\" on \"%s\": %c", rows[i].pattern, rows[i].text,
                got);
        }
        assert_true((p == NULL) == (fault != NULL));
        pattern_free(p);
    }
}

/* What takes a backtracking matcher the age of the universe. */
static void
time_is_linear(void **state)
{
    static const char *const evil[] = {"(a*)*b", "(a|a)*b", "(a?){100}a{100}",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x", "((a{0,30}){0,30})b"};
    char text[249];

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < countof(evil); i++) {
        const char *fault = NULL;
        struct pattern *p = pattern_new(S(evil[i]), &fault);

        assert_non_null(p);
        for (int k = 0; k < 20; k++) {
            assert_false(pattern_matches(p, span_of(text, sizeof text)));
        }
        pattern_free(p);
    }
}

static void
noise_is_read_without_harm(void **state)
{
    static const char bits[] = "ab.*+?|()[]{}^$\\-:,0129PQEpLi<>\xc3\xa4";
    struct kit k;
    size_t good = 0;

    (void)state;
    kit_init(&k, kit_seed(7));
    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t len = kit_random(&k, sizeof text);
        const char *fault = NULL;
        struct pattern *p;

        for (size_t n = 0; n < len; n++) {
            text[n] = bits[kit_random(&k, sizeof bits - 1)];
        }
        p = pattern_new(span_of(text, len), &fault);
        if (p != NULL) {
            pattern_matches(p, S("ab01-a.b"));
            good++;
        }
        pattern_free(p);
    }
    assert_in_range(good, 100, 19900);
    kit_release(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_match_as_re2_does),
        cmocka_unit_test(time_is_linear),
        cmocka_unit_test(noise_is_read_without_harm),
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
