/*
 * limits.h: every bound in one place, with the relations between them.
 * Bytes unless the name says otherwise.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB 1024ull
#define MIB (1024ull * 1024)
#define GIB (1024ull * 1024 * 1024)

/* the wire */
#define FRAME_BYTES_MAX (100 * MIB)      /* Kafka's socket.request.max.bytes */
#define BATCH_BYTES_MAX (1 * MIB + 12)   /* default of max.message.bytes */
#define DECODE_ARENA_MAX (8 * MIB)       /* decoded request, beside its frame */
#define FRAMES_BYTES_MAX (256 * MIB)     /* frames being received, in all */
#define CONNECTIONS_MAX 10000            /* count */
#define CONNECTIONS_ADDRESS_MAX 1000     /* count, from one other machine */
#define PIPELINE_MAX 64                  /* requests in flight a connection */
#define OUTPUT_HIGH_WATER (1 * MIB)      /* then its socket is read no more */
#define REQUEST_TOPICS_MAX 10000         /* count */
#define CONN_GREET_MS 10000              /* until its first frame is there */
#define CONN_FRAME_MS 30000              /* to send one frame */
#define CONN_STUCK_MS 30000              /* without taking a waiting answer */
#define CONN_ENDED_MS 10000              /* answered after its end */
#define CONN_IDLE_MS (10 * 60 * 1000)    /* as Kafka */
#define CONN_SWEEP_MS 1000

/* names and counts, as Kafka has them */
#define TOPIC_NAME_MAX 249
#define PARTITIONS_TOPIC_MAX 4096        /* count */
#define PARTITIONS_MAX 20000             /* count */
#define GROUP_MEMBERS_MAX 1000           /* count */
#define GROUPS_MAX 10000                 /* count */
#define OFFSET_METADATA_MAX 4096
#define PRODUCERS_MAX 100000             /* count, least recently used go */
#define PRODUCER_WINDOW 5                /* batches, KIP-98 */

/* the epoch */
#define JOURNAL_BLOCK 4096
#define EPOCH_BYTES_MAX (16 * MIB)
#define STORE_KEY_MAX 32767

/* tasks */
#define RUN_RECORDS_MAX 256              /* count */
#define RUN_US_MAX 200                   /* microseconds */

/* decompression: at most the smaller of the two */
#define DECOMPRESSED_MAX (64 * MIB)
#define DECOMPRESSION_RATIO_MAX 100      /* times; small inputs get 1 MiB */

_Static_assert(FRAME_BYTES_MAX <= FRAMES_BYTES_MAX / 2, "two large frames");
_Static_assert(BATCH_BYTES_MAX < EPOCH_BYTES_MAX / 2, "a batch fits an epoch");

#endif
