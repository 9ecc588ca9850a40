"""The web page at /dashboard: a view of what the service's handlers answer.

Nothing else imports this package but the application, which mounts it. NiceGUI is imported when the first
page is asked for, so that a sensor whose dashboard nobody opens does not pay for it.
"""
