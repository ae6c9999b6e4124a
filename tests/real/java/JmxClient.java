import java.util.Arrays;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** JmxClient URL PATTERN...: each number of the MBeans that match, by Java's own client: name, attribute, value. */
public class JmxClient {
    public static void main(String[] arguments) throws Exception {
        try (JMXConnector connector = JMXConnectorFactory.connect(new JMXServiceURL(arguments[0]))) {
            MBeanServerConnection server = connector.getMBeanServerConnection();
            for (String pattern : Arrays.copyOfRange(arguments, 1, arguments.length)) {
                for (ObjectName name : server.queryNames(new ObjectName(pattern), null)) {
                    for (MBeanAttributeInfo one : server.getMBeanInfo(name).getAttributes()) {
                        if (one.getType().matches("int|long")) {
                            System.out.println(name + "\t" + one.getName() + "\t" + server.getAttribute(name, one.getName()));
                        }
                    }
                }
            }
        }
    }
}
