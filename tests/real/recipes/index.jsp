<%@ page contentType="text/plain; charset=UTF-8" session="false" %>ok <%= application.getServerInfo() %> in <%= Thread.currentThread().getName() %>
