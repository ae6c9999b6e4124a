<%@ page contentType="text/plain" %><%
// Keeps megabytes of small objects on the heap, which a heap dump has to walk.
int megabytes = Integer.parseInt(request.getParameter("megabytes"));
java.util.List<Object> kept = new java.util.ArrayList<>();
for (int n = 0; n < megabytes * 10000; n++) kept.add(new int[20]);
application.setAttribute("kept", kept);
%>filled
