/* Groups over the wire: JoinGroup to DeleteGroups, restarts in between. */
#include "config.h"

#include "kit.h"

enum { TIMEOUT_MS = 10000 };

/* ---- requests ---- */

static struct join_group_request *
join_request(struct kit *k, const char *group, struct span member)
{
    struct join_group_request *q = KIT_NEW(k, join_group_request);

    q->group_id = S(group);
    q->session_timeout_ms = TIMEOUT_MS;
    q->rebalance_timeout_ms = 30000;
    q->member_id = member;
    q->protocol_type = S("consumer");
    KIT_LIST(k, q->protocols, join_group_request_protocol, 2);
    q->protocols.v[0].name = S("range");
    q->protocols.v[0].metadata = S("meta-range");
    q->protocols.v[1].name = S("roundrobin");
    q->protocols.v[1].metadata = S("meta-rr");
    return q;
}

static const struct join_group_response *
join(struct client *c, struct kit *k, int version, const char *group,
    struct span member)
{
    return client_call(c, API_JOIN_GROUP, version,
        join_request(k, group, member));
}

/* The only member of a new group; its id. */
static struct span
join_alone(struct kit *k, int version, const char *group)
{
    struct client *c = kit_connect(k);
    const struct join_group_response *p
        = join(c, k, version, group, S(""));

    if (version >= 4) {
        assert_error(p->error_code, KERR_MEMBER_ID_REQUIRED);
        assert_true(p->member_id.len > 36);
        p = join(c, k, version, group, p->member_id);
    }
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->generation_id, 1);
    assert_span(p->protocol_name, "range");
    assert_true(span_eq(p->leader, p->member_id));
    assert_int_equal(p->members.n, 1);
    assert_span(p->members.v[0].metadata, "meta-range");
    client_close(c);
    return p->member_id;
}

static struct sync_group_request *
sync_request(struct kit *k, const char *group, struct span member,
    int32_t generation, struct span assignment)
{
    struct sync_group_request *q = KIT_NEW(k, sync_group_request);

    q->group_id = S(group);
    q->generation_id = generation;
    q->member_id = member;
    q->protocol_type = S("consumer");
    q->protocol_name = S("range");
    if (assignment.ptr != NULL) {
        KIT_LIST(k, q->assignments, sync_group_request_assignment, 1);
        q->assignments.v[0].member_id = member;
        q->assignments.v[0].assignment = assignment;
    }
    return q;
}

static void
sync_alone(struct kit *k, int version, const char *group, struct span member,
    const char *assignment)
{
    const struct sync_group_response *p = kit_call(k, API_SYNC_GROUP, version,
        sync_request(k, group, member, 1, S(assignment)));

    assert_error(p->error_code, KERR_NONE);
    assert_span(p->assignment, assignment);
}

static int
heartbeat(struct kit *k, int version, const char *group, struct span member,
    int32_t generation)
{
    struct heartbeat_request *q = KIT_NEW(k, heartbeat_request);
    const struct heartbeat_response *p;

    q->group_id = S(group);
    q->generation_id = generation;
    q->member_id = member;
    p = kit_call(k, API_HEARTBEAT, version, q);
    return p->error_code;
}

static int
leave(struct kit *k, int version, const char *group, struct span member)
{
    struct leave_group_request *q = KIT_NEW(k, leave_group_request);
    const struct leave_group_response *p;

    q->group_id = S(group);
    q->member_id = member;
    KIT_LIST(k, q->members, leave_group_request_member, 1);
    q->members.v[0].member_id = member;
    p = kit_call(k, API_LEAVE_GROUP, version, q);
    if (version < 3 || p->error_code != KERR_NONE)
        return p->error_code;
    assert_int_equal(p->members.n, 1);
    assert_true(span_eq(p->members.v[0].member_id, member));
    return p->members.v[0].error_code;
}

static const struct describe_groups_response_group *
describe(struct kit *k, int version, const char *group)
{
    struct describe_groups_request *q = KIT_NEW(k, describe_groups_request);
    const struct describe_groups_response *p;

    q->groups.v = kit_alloc(k, sizeof(struct span));
    q->groups.v[0] = S(group);
    q->groups.n = 1;
    q->include_authorized_operations = true;
    p = kit_call(k, API_DESCRIBE_GROUPS, version, q);
    assert_int_equal(p->groups.n, 1);
    assert_span(p->groups.v[0].group_id, group);
    return &p->groups.v[0];
}

static const struct list_groups_response *
list(struct kit *k, int version, const char *state)
{
    struct list_groups_request *q = KIT_NEW(k, list_groups_request);

    if (state != NULL) {
        q->states_filter.v = kit_alloc(k, sizeof(struct span));
        q->states_filter.v[0] = S(state);
        q->states_filter.n = 1;
    }
    return kit_call(k, API_LIST_GROUPS, version, q);
}

static int
delete_group(struct kit *k, int version, const char *group)
{
    struct delete_groups_request *q = KIT_NEW(k, delete_groups_request);
    const struct delete_groups_response *p;

    q->groups_names.v = kit_alloc(k, sizeof(struct span));
    q->groups_names.v[0] = S(group);
    q->groups_names.n = 1;
    p = kit_call(k, API_DELETE_GROUPS, version, q);
    assert_int_equal(p->results.n, 1);
    assert_span(p->results.v[0].group_id, group);
    return p->results.v[0].error_code;
}

static enum group_state
state_of(struct kit *k, const char *group)
{
    const struct group *g = groups_get(api_groups(k->api), S(group));

    return g == NULL ? GROUP_DEAD : group_state(g);
}

/* The id of a member of "g" that is not this one. */
static struct span
other_member(struct kit *k, struct span not)
{
    const struct describe_groups_response_group *d = describe(k, 5, "g");

    for (int i = 0; i < d->members.n; i++)
        if (!span_eq(d->members.v[i].member_id, not))
            return d->members.v[i].member_id;
    fail_msg("there is no other member");
    return SPAN_NULL;
}

/* ---- stories ---- */

/* A member joins, syncs, beats and leaves in every version there is. */
static void
test_every_version(void **state)
{
    struct kit *k = *state;

    for (int v = 0; v <= 9; v++) {
        char group[16];
        struct span m;

        snprintf(group, sizeof group, "g%d", v);
        m = join_alone(k, v, group);
        sync_alone(k, v > 5 ? 5 : v, group, m, "mine");
        assert_error(heartbeat(k, v > 4 ? 4 : v, group, m, 1), KERR_NONE);
        assert_error(heartbeat(k, v > 4 ? 4 : v, group, m, 2),
            KERR_ILLEGAL_GENERATION);
        assert_error(heartbeat(k, v > 4 ? 4 : v, group, S("who"), 1),
            KERR_UNKNOWN_MEMBER_ID);
        assert_int_equal(state_of(k, group), GROUP_STABLE);
        assert_error(leave(k, v > 5 ? 5 : v, group, S("who")),
            KERR_UNKNOWN_MEMBER_ID);
        assert_error(leave(k, v > 5 ? 5 : v, group, m), KERR_NONE);
        assert_int_equal(state_of(k, group), GROUP_EMPTY);
        assert_error(delete_group(k, v > 2 ? 2 : v, group), KERR_NONE);
        assert_error(delete_group(k, v > 2 ? 2 : v, group),
            KERR_GROUP_ID_NOT_FOUND);
        kit_forget(k);
    }
}

static void
test_describe_and_list(void **state)
{
    struct kit *k = *state;
    struct span m = join_alone(k, 5, "g");
    const struct describe_groups_response_group *d;
    const struct list_groups_response *l;

    d = describe(k, 5, "g");
    assert_span(d->group_state, "CompletingRebalance");
    assert_span(d->protocol_data, "");
    assert_span(d->members.v[0].member_metadata, "");
    sync_alone(k, 5, "g", m, "mine");
    for (int v = 0; v <= 6; v++) {
        d = describe(k, v, "g");
        assert_error(d->error_code, KERR_NONE);
        assert_span(d->group_state, "Stable");
        assert_span(d->protocol_type, "consumer");
        assert_span(d->protocol_data, "range");
        assert_int_equal(d->members.n, 1);
        assert_true(span_eq(d->members.v[0].member_id, m));
        assert_span(d->members.v[0].client_id, "kit");
        assert_span(d->members.v[0].client_host, "/127.0.0.1");
        assert_span(d->members.v[0].member_metadata, "meta-range");
        assert_span(d->members.v[0].member_assignment, "mine");
        assert_int_equal(d->authorized_operations, v >= 3 ? 328 : INT32_MIN);
        d = describe(k, v, "nobody");
        assert_error(d->error_code,
            v >= 6 ? KERR_GROUP_ID_NOT_FOUND : KERR_NONE);
        assert_span(d->group_state, "Dead");
        if (v >= 6)
            assert_span(d->error_message, "Group nobody not found.");
    }
    for (int v = 0; v <= 5; v++) {
        l = list(k, v, NULL);
        assert_int_equal(l->groups.n, 1);
        assert_span(l->groups.v[0].group_id, "g");
        assert_span(l->groups.v[0].protocol_type, "consumer");
        if (v >= 4)
            assert_span(l->groups.v[0].group_state, "Stable");
        if (v >= 5)
            assert_span(l->groups.v[0].group_type, "classic");
        if (v >= 4)
            assert_int_equal(list(k, v, "Empty")->groups.n, 0);
        if (v >= 4)
            assert_int_equal(list(k, v, "stable")->groups.n, 1);
    }
}

/* Two members on two connections: the first waits until the second is in,
 * the second waits for its part. */
static void
test_two_members(void **state)
{
    struct kit *k = *state;
    struct client *a = kit_connect(k), *b = kit_connect(k);
    struct span ma = join_alone(k, 3, "g"), mb;
    struct sync_group_request *q;
    const struct join_group_response *ja, *jb;
    const struct sync_group_response *sa, *sb;

    sync_alone(k, 3, "g", ma, "all");
    client_send(b, API_JOIN_GROUP, 3, join_request(k, "g", S("")));
    client_expect_silence(b, true);
    assert_error(heartbeat(k, 3, "g", ma, 1), KERR_REBALANCE_IN_PROGRESS);
    ja = join(a, k, 3, "g", ma);
    jb = client_wait(b);
    assert_int_equal(ja->generation_id, 2);
    assert_int_equal(jb->generation_id, 2);
    assert_int_equal(ja->members.n, 2);
    assert_int_equal(jb->members.n, 0);
    assert_true(span_eq(jb->leader, ma));
    mb = jb->member_id;
    client_send(b, API_SYNC_GROUP, 3, sync_request(k, "g", mb, 2, SPAN_NULL));
    client_expect_silence(b, true);
    q = sync_request(k, "g", ma, 2, S("half"));
    KIT_LIST(k, q->assignments, sync_group_request_assignment, 2);
    q->assignments.v[0].member_id = ma;
    q->assignments.v[0].assignment = S("half");
    q->assignments.v[1].member_id = mb;
    q->assignments.v[1].assignment = S("other half");
    sa = client_call(a, API_SYNC_GROUP, 3, q);
    sb = client_wait(b);
    assert_span(sa->assignment, "half");
    assert_span(sb->assignment, "other half");
}

/* A connection dies while its request waits: nobody answers it, the group
 * goes on. One that only ends is answered, into the void. */
static void
test_waiting_connection_dies(void **state)
{
    struct kit *k = *state;
    struct client *a = kit_connect(k), *b;
    struct span ma = join_alone(k, 3, "g");

    sync_alone(k, 3, "g", ma, "all");
    for (int i = 0; i < 2; i++) {
        b = kit_connect(k);
        client_send(b, API_JOIN_GROUP, 3, join_request(k, "g", S("")));
        client_expect_silence(b, true);
        if (i == 0)
            client_reset(b);
        else
            client_close(b);
        for (int n = 0; n < 10; n++)
            kit_turn(k, true);
    }
    client_send(a, API_JOIN_GROUP, 3, join_request(k, "g", ma));
    assert_int_equal(((const struct join_group_response *)client_wait(a))
        ->members.n, 3);
    /* Likewise in the other phase: one syncs and dies, and the broker goes
     * while one joins. */
    b = kit_connect(k);
    client_send(b, API_SYNC_GROUP, 3, sync_request(k, "g", other_member(k,
        ma), 2, SPAN_NULL));
    client_expect_silence(b, true);
    client_reset(b);
    for (int n = 0; n < 10; n++)
        kit_turn(k, true);
    client_send(a, API_SYNC_GROUP, 3, sync_request(k, "g", ma, 2,
        S("again")));
    assert_span(((const struct sync_group_response *)client_wait(a))
        ->assignment, "again");
    b = kit_connect(k);
    client_send(b, API_JOIN_GROUP, 3, join_request(k, "g", S("")));
    client_expect_silence(b, true);
    kit_restart(k);
}

/* No answer shows what a power cut could take back. */
static void
test_answers_wait_for_publish(void **state)
{
    struct kit *k = *state;
    struct client *a = kit_connect(k), *b = kit_connect(k);
    struct heartbeat_request *beat = KIT_NEW(k, heartbeat_request);
    struct list_groups_request *all = KIT_NEW(k, list_groups_request);
    const struct join_group_response *j;

    client_send(a, API_JOIN_GROUP, 0, join_request(k, "g", S("")));
    client_expect_silence(a, false);
    assert_int_equal(state_of(k, "g"), GROUP_COMPLETING);
    beat->group_id = S("g");
    beat->member_id = S("nobody");
    client_send(b, API_HEARTBEAT, 4, beat);
    client_send(b, API_LIST_GROUPS, 4, all);
    client_expect_silence(b, false);
    client_expect_silence(a, false);
    kit_turn(k, true);
    j = client_wait(a);
    assert_error(j->error_code, KERR_NONE);
    assert_error(((const struct heartbeat_response *)client_wait(b))
        ->error_code, KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(((const struct list_groups_response *)client_wait(b))
        ->groups.n, 1);
    /* What changes nothing waits for nothing. */
    beat->member_id = j->member_id;
    beat->generation_id = 1;
    client_send(b, API_HEARTBEAT, 4, beat);
    for (int i = 0; i < 100; i++) {
        const struct heartbeat_response *p;

        kit_turn(k, false);
        p = client_poll(b);
        if (p == NULL)
            continue;
        assert_error(p->error_code, KERR_NONE);
        return;
    }
    fail_msg("the heartbeat waits");
}

static void
comes_back(struct kit *k, void (*again)(struct kit *))
{
    struct span m = join_alone(k, 5, "stable"), other, gone;
    const struct join_group_response *j;
    const struct sync_group_response *s;
    struct client *c;

    sync_alone(k, 5, "stable", m, "mine");
    other = join_alone(k, 5, "syncing");
    gone = join_alone(k, 5, "empty");
    assert_error(leave(k, 5, "empty", gone), KERR_NONE);
    again(k);
    assert_int_equal(state_of(k, "stable"), GROUP_STABLE);
    assert_int_equal(state_of(k, "syncing"), GROUP_COMPLETING);
    assert_int_equal(state_of(k, "empty"), GROUP_EMPTY);
    assert_error(heartbeat(k, 4, "stable", m, 1), KERR_NONE);
    s = kit_call(k, API_SYNC_GROUP, 5, sync_request(k, "stable", m, 1,
        SPAN_NULL));
    assert_span(s->assignment, "mine");
    assert_span(describe(k, 5, "stable")->members.v[0].member_metadata,
        "meta-range");
    /* The phase goes on where it was, with the same generation. */
    sync_alone(k, 5, "syncing", other, "late");
    assert_int_equal(state_of(k, "syncing"), GROUP_STABLE);
    /* A generation's number is not used twice. */
    c = kit_connect(k);
    j = join(c, k, 5, "empty", S(""));
    j = join(c, k, 5, "empty", j->member_id);
    assert_int_equal(j->generation_id, 3);
    client_close(c);
}

static void
test_restart(void **state)
{
    comes_back(*state, kit_restart);
}

static void
test_crash(void **state)
{
    comes_back(*state, kit_crash);
}

static void
test_static_member_restarts(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    struct join_group_request *q = join_request(k, "g", S(""));
    const struct join_group_response *j;
    struct span first;

    q->group_instance_id = S("instance-1");
    j = client_call(c, API_JOIN_GROUP, 9, q);
    assert_error(j->error_code, KERR_NONE);
    first = j->member_id;
    sync_alone(k, 5, "g", first, "mine");
    kit_restart(k);
    c = kit_connect(k);
    j = client_call(c, API_JOIN_GROUP, 9, q);
    assert_error(j->error_code, KERR_NONE);
    assert_int_equal(j->generation_id, 1);
    assert_true(j->skip_assignment);
    assert_false(span_eq(j->member_id, first));
    kit_crash(k);
    assert_error(heartbeat(k, 4, "g", j->member_id, 1), KERR_NONE);
    assert_error(heartbeat(k, 4, "g", first, 1), KERR_UNKNOWN_MEMBER_ID);
}

/* A member that falls silent is out, its group is empty; and as it holds no
 * offsets it is gone with the next sweep, also after a restart. */
static void
test_silence_and_retention(void **state)
{
    struct kit *k = *state;
    struct span m = join_alone(k, 5, "g");

    sync_alone(k, 5, "g", m, "mine");
    kit_pass(k, TIMEOUT_MS - 2000);
    assert_error(heartbeat(k, 4, "g", m, 1), KERR_NONE);
    kit_pass(k, TIMEOUT_MS - 2000);
    assert_int_equal(state_of(k, "g"), GROUP_STABLE);
    kit_pass(k, 4000);
    assert_int_equal(state_of(k, "g"), GROUP_EMPTY);
    assert_error(heartbeat(k, 4, "g", m, 1), KERR_UNKNOWN_MEMBER_ID);
    kit_pass(k, 11 * 60000);
    assert_int_equal(state_of(k, "g"), GROUP_DEAD);
    kit_restart(k);
    assert_int_equal(groups_count(api_groups(k->api)), 0);
}

static void
test_delete_groups(void **state)
{
    struct kit *k = *state;
    struct delete_groups_request *q = KIT_NEW(k, delete_groups_request);
    const struct delete_groups_response *p;
    struct span m = join_alone(k, 5, "full");
    static const char *const names[] = {"full", "nobody", "empty", "empty"};
    static const enum kerr want[] = {KERR_NON_EMPTY_GROUP,
        KERR_GROUP_ID_NOT_FOUND, KERR_NONE, KERR_GROUP_ID_NOT_FOUND};

    assert_error(leave(k, 5, "empty", join_alone(k, 5, "empty")), KERR_NONE);
    for (int v = 0; v <= 2; v++)
        assert_error(delete_group(k, v, "full"), KERR_NON_EMPTY_GROUP);
    q->groups_names.n = 4;
    q->groups_names.v = kit_alloc(k, 4 * sizeof(struct span));
    for (int i = 0; i < 4; i++)
        q->groups_names.v[i] = S(names[i]);
    p = kit_call(k, API_DELETE_GROUPS, 2, q);
    assert_int_equal(p->results.n, 4);
    for (int i = 0; i < 4; i++)
        assert_error(p->results.v[i].error_code, want[i]);
    kit_crash(k);
    assert_int_equal(state_of(k, "empty"), GROUP_DEAD);
    assert_int_equal(state_of(k, "full"), GROUP_COMPLETING);
    assert_error(heartbeat(k, 4, "full", m, 1), KERR_NONE);
    q->groups_names.n = 0;
    p = kit_call(k, API_DELETE_GROUPS, 2, q);
    assert_int_equal(p->results.n, 0);
}

/* Nothing that must be persisted begins; members keep what they have. */
static void
test_disk_full(void **state)
{
    struct kit *k = *state;
    struct span m = join_alone(k, 5, "g"), n = join_alone(k, 5, "h");
    const struct join_group_response *j;
    const struct sync_group_response *s;
    struct client *c;

    sync_alone(k, 5, "g", m, "mine");
    k->disk_floor = UINT64_MAX;
    kit_restart(k);
    kit_turn(k, true);
    assert_true(seq_readonly(k->seq, NULL));
    c = kit_connect(k);
    for (int v = 0; v <= 9; v++) {
        j = join(c, k, v, "g", m);
        assert_error(j->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
        assert_int_equal(j->generation_id, -1);
        assert_true(span_eq(j->member_id, m));
    }
    assert_error(heartbeat(k, 4, "g", m, 1), KERR_NONE);
    s = client_call(c, API_SYNC_GROUP, 5, sync_request(k, "g", m, 1,
        SPAN_NULL));
    assert_span(s->assignment, "mine");
    s = client_call(c, API_SYNC_GROUP, 5, sync_request(k, "h", n, 1,
        S("mine")));
    assert_error(s->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(leave(k, 5, "g", m), KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(leave(k, 1, "g", m), KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(delete_group(k, 2, "g"), KERR_COORDINATOR_NOT_AVAILABLE);
    kit_pass(k, 3 * TIMEOUT_MS);
    assert_int_equal(state_of(k, "g"), GROUP_STABLE);
    k->disk_floor = 1;
    kit_restart(k);
    assert_error(heartbeat(k, 4, "g", m, 1), KERR_NONE);
}

/* Twenty members of 60 KiB each: a record of 1.2 MB, larger than an epoch
 * usually is. It is let in alone, and comes back whole. */
static void
test_large_group(void **state)
{
    struct kit *k = *state;
    struct client *c[10];
    uint8_t *big = kit_alloc(k, 60 * KIB);

    k->opts.groups.initial_delay_ms = 2000;
    kit_anew(k);
    memset(big, 'x', 60 * KIB);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10; i++) {
            struct join_group_request *q = join_request(k, "g", S(""));

            q->protocols.v[0].metadata = span_of(big, 60 * KIB);
            if (round == 0)
                c[i] = kit_connect(k);
            client_send(c[i], API_JOIN_GROUP, 3, q);
        }
        for (int i = 0; i < 50; i++)
            kit_turn(k, true);
    }
    kit_pass(k, 5000);
    for (int i = 0; i < 10; i++)
        for (int round = 0; round < 2; round++) {
            const struct join_group_response *j = client_wait(c[i]);

            assert_error(j->error_code, KERR_NONE);
            assert_int_equal(j->generation_id, 1);
        }
    assert_int_equal(describe(k, 5, "g")->members.n, 20);
    kit_crash(k);
    assert_int_equal(state_of(k, "g"), GROUP_COMPLETING);
    assert_int_equal(describe(k, 5, "g")->members.n, 20);
}

static int
join_with(struct kit *k, int version, struct join_group_request *q)
{
    const struct join_group_response *p = kit_call(k, API_JOIN_GROUP, version,
        q);

    assert_int_equal(p->generation_id, -1);
    assert_int_equal(p->members.n, 0);
    return p->error_code;
}

static void
test_hostile_requests(void **state)
{
    struct kit *k = *state;
    struct join_group_request *q = join_request(k, "", S(""));
    struct leave_group_request *l = KIT_NEW(k, leave_group_request);
    const struct leave_group_response *left;

    for (int v = 0; v <= 9; v++)
        assert_error(join_with(k, v, q), KERR_INVALID_GROUP_ID);
    assert_error(heartbeat(k, 4, "", S(""), -5), KERR_INVALID_GROUP_ID);
    assert_error(leave(k, 5, "", S("")), KERR_INVALID_GROUP_ID);
    assert_error(leave(k, 1, "nobody", S("")), KERR_UNKNOWN_MEMBER_ID);
    assert_error(describe(k, 6, "")->error_code, KERR_GROUP_ID_NOT_FOUND);
    assert_error(delete_group(k, 2, ""), KERR_GROUP_ID_NOT_FOUND);
    q->group_id = S("g");
    q->session_timeout_ms = -1;
    assert_error(join_with(k, 9, q), KERR_INVALID_SESSION_TIMEOUT);
    q->session_timeout_ms = INT32_MAX;
    assert_error(join_with(k, 9, q), KERR_INVALID_SESSION_TIMEOUT);
    q->session_timeout_ms = TIMEOUT_MS;
    q->protocols.n = 0;
    assert_error(join_with(k, 0, q), KERR_INCONSISTENT_GROUP_PROTOCOL);
    q->protocols.n = 2;
    q->group_instance_id = span_of("a\0b", 3);
    assert_error(join_with(k, 9, q), KERR_INVALID_REQUEST);
    q->group_instance_id = SPAN_NULL;
    q->protocols.v[1].name = span_of("\0", 1);
    assert_error(join_with(k, 9, q), KERR_INVALID_REQUEST);
    q->protocols.v[1].name = S("other");
    q->rebalance_timeout_ms = INT32_MIN;
    assert_error(join_with(k, 9, q), KERR_MEMBER_ID_REQUIRED);
    l->group_id = S("g");
    left = kit_call(k, API_LEAVE_GROUP, 5, l);
    assert_error(left->error_code, KERR_NONE);
    assert_int_equal(left->members.n, 0);
    kit_restart(k);
    assert_int_equal(groups_count(api_groups(k->api)), 0);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_every_version),
        STORY(test_describe_and_list),
        STORY(test_two_members),
        STORY(test_waiting_connection_dies),
        STORY(test_answers_wait_for_publish),
        STORY(test_restart),
        STORY(test_crash),
        STORY(test_static_member_restarts),
        STORY(test_silence_and_retention),
        STORY(test_delete_groups),
        STORY(test_disk_full),
        STORY(test_large_group),
        STORY(test_hostile_requests),
    };

    return cmocka_run_group_tests_name("api/groups", tests, NULL, NULL);
}
