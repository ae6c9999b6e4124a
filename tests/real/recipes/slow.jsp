<%@ page contentType="text/plain" session="false" %><%
    String held = request.getParameter("held");
    if (held == null) {
        Thread.sleep(Long.parseLong(request.getParameter("ms")));
    } else {
        response.flushBuffer();
        while (new java.io.File(held).exists()) {
            Thread.sleep(20);
        }
    }
%>slow
