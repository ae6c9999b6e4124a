<%@ page contentType="text/plain" session="false" %><% Thread.sleep(Long.parseLong(request.getParameter("ms"))); %>slow
