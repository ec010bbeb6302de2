// Java's JSSE as a client. Standard input: one chain a line (see oracle.py). Runs under faketime.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

public final class Verify {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        out.println("version\t" + System.getProperty("java.version"));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", -1);
            String said;
            try {
                said = judge(parts[1], parts[2], Base64.getDecoder().decode(parts[3]));
            } catch (Throwable error) {
                StringBuilder causes = new StringBuilder();
                for (Throwable one = error; one != null; one = one.getCause()) {
                    causes.append(causes.length() > 0 ? " <- " : "").append(one);
                }
                said = causes.toString().replace('\n', ' ').replace('\r', ' ');
            }
            out.println(parts[0] + "\t" + said);
        }
        out.flush();
    }

    private static String judge(String host, String anchors, byte[] flight) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (String one : anchors.split(",")) {
            byte[] der = Base64.getDecoder().decode(one);
            try {
                store.setCertificateEntry(
                    "a" + store.size(), factory.generateCertificate(new ByteArrayInputStream(der)));
            } catch (CertificateException error) {
                continue; // as `keytool -importcert`, which does not import it
            }
        }
        TrustManagerFactory managers =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        SSLEngine engine = context.createSSLEngine(host, 443);
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        parameters.setProtocols(new String[] {"TLSv1.2"});
        engine.setSSLParameters(parameters);
        engine.beginHandshake();
        ByteBuffer in = ByteBuffer.wrap(flight);
        ByteBuffer application = ByteBuffer.allocate(1 << 17);
        ByteBuffer network = ByteBuffer.allocate(1 << 17);
        ByteBuffer empty = ByteBuffer.allocate(0);
        for (int step = 0; step < 100; step++) {
            HandshakeStatus status = engine.getHandshakeStatus();
            if (status == HandshakeStatus.NEED_TASK) {
                engine.getDelegatedTask().run();
            } else if (status == HandshakeStatus.NEED_WRAP) {
                network.clear();
                engine.wrap(empty, network);
            } else if (in.hasRemaining()) {
                engine.unwrap(in, application);
            } else {
                engine.unwrap(empty, application); // throws what a task met
                return "ok";
            }
        }
        throw new SSLException("no end");
    }
}
