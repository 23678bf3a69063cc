"""From an App to a template: App and options → resources (`plan`) → text (`sam`, `terraform`)."""
