// Java's JSSE as a client of a real server. Standard input: host, port and file of roots between tabs;
// it answers each line with what Java says, or "ok".

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public final class Connect {
    public static void main(String[] arguments) throws Exception {
        System.out.println(System.getProperty("java.version"));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t");
            String said = "ok";
            try {
                connect(parts[0], Integer.parseInt(parts[1]), parts[2]);
            } catch (Exception error) {
                said = error.toString().replace('\n', ' ');
            }
            System.out.println(said);
        }
    }

    private static void connect(String host, int port, String roots) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = new FileInputStream(roots)) {
            for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry("a" + store.size(), one);
            }
        }
        TrustManagerFactory managers =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        Socket raw = new Socket("127.0.0.1", port);
        raw.setSoTimeout(30_000);
        try (SSLSocket socket =
                (SSLSocket) context.getSocketFactory().createSocket(raw, host, port, true)) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
        }
    }
}
