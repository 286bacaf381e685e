import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The application that StreamsSuite starts, kills and starts again. From its
 * source it makes two topics: -count, how many records each key has had, and
 * -sum, the running sums by another key, which takes a repartition.
 *
 *   StreamsApp BOOTSTRAP ID SOURCE STATE-FOLDER PROTOCOL
 */
public final class StreamsApp {
    private StreamsApp() {}

    private static Properties settings(String[] args) {
        Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
        p.put("group.protocol", args[4]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
            StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, "2");
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        // each change is to be seen in what comes out
        p.put("statestore.cache.max.bytes", "0");
        if (args[4].equals("classic")) {
            p.put("session.timeout.ms", "6000");
            p.put("heartbeat.interval.ms", "500");
        }
        p.put("auto.offset.reset", "earliest");
        p.put("reconnect.backoff.max.ms", "200");
        return p;
    }

    private static StreamsBuilder topology(String source) {
        StreamsBuilder b = new StreamsBuilder();
        KStream<String, Long> in = b.stream(source, Consumed.with(
            Serdes.String(), Serdes.Long()));
        in.groupByKey(Grouped.with(Serdes.String(), Serdes.Long()))
            .count(Materialized.as("counts"))
            .toStream()
            .to(source + "-count", Produced.with(Serdes.String(),
                Serdes.Long()));
        in.groupBy((key, n) -> "g" + n % 13, Grouped.with("by-group",
                Serdes.String(), Serdes.Long()))
            .reduce(Long::sum, Materialized.as("sums"))
            .toStream()
            .to(source + "-sum", Produced.with(Serdes.String(),
                Serdes.Long()));
        return b;
    }

    public static void main(String[] args) {
        KafkaStreams app = new KafkaStreams(topology(args[2]).build(),
            settings(args));
        app.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        app.setStateListener((now, before) ->
            System.out.println(before + " -> " + now));
        Exit.addShutdownHook("stop", app::close);
        app.start();
    }
}
