import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * One client at work: transactions of version 2 (KIP-890) through the Java
 * client. As worker.py, which says what is expected: NAME BOOTSTRAP SEED.
 */
public final class Worker {
    private static final int PARTITIONS = 4;
    private static volatile boolean stopped;

    private final String name;
    private final String bootstrap;
    private final Random random;

    private Worker(String name, String bootstrap, long seed) {
        this.name = name;
        this.bootstrap = bootstrap;
        this.random = new Random(seed ^ name.hashCode());
    }

    private KafkaProducer<String, String> connect() {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("transactional.id", name);
        p.put("transaction.timeout.ms", "20000");
        p.put("request.timeout.ms", "4000");
        p.put("delivery.timeout.ms", "15000");
        p.put("max.block.ms", "15000");
        p.put("reconnect.backoff.max.ms", "500");
        KafkaProducer<String, String> producer = new KafkaProducer<>(p,
            new StringSerializer(), new StringSerializer());
        try {
            producer.initTransactions();
        } catch (RuntimeException e) {
            producer.close(java.time.Duration.ZERO);
            throw e;
        }
        return producer;
    }

    private void tell(int n, List<String> sends, String result) {
        System.out.println("{\"kind\":\"txn\",\"id\":\"" + name + "-" + n
            + "\",\"result\":\"" + result + "\",\"sends\":["
            + String.join(",", sends) + "]}");
    }

    private void one(KafkaProducer<String, String> p, int n) {
        List<String> sends = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        int how = random.nextInt(10);
        String result = "fail";
        try {
            p.beginTransaction();
            for (int i = 0; i < count; i++) {
                int partition = random.nextInt(PARTITIONS);
                String value = name + "-" + n + "-" + i;
                sends.add("[\"t\"," + partition + ",\"" + value + "\"]");
                p.send(new ProducerRecord<>("t", partition, null, value));
            }
            if (how == 0) {
                p.flush();
            }
            if (how < 3) {
                p.abortTransaction();
            } else {
                result = "info";
                p.commitTransaction();
                result = "ok";
            }
        } finally {
            tell(n, sends, result);
        }
    }

    private void run() throws InterruptedException {
        KafkaProducer<String, String> p = null;
        for (int n = 0; !stopped; n++) {
            try {
                if (p == null) {
                    p = connect();
                }
                one(p, n);
            } catch (RuntimeException e) {
                System.out.println("{\"kind\":\"error\",\"name\":\"" + name
                    + "\",\"text\":\"" + e.getClass().getSimpleName()
                    + "\"}");
                if (p != null) {
                    p.close(java.time.Duration.ZERO);
                }
                p = null;
                Thread.sleep(200);
            }
            Thread.sleep(random.nextInt(20));
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    public static void main(String[] args) throws Exception {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // nothing is said to us but the end
                }
            } catch (java.io.IOException e) {
                // the same
            }
            stopped = true;
        });
        watch.setDaemon(true);
        watch.start();
        new Worker(args[0], args[1], Long.parseLong(args[2])).run();
    }
}
