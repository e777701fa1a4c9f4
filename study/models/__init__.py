"""Language models: found, checked, loaded, adapted and exported, from the hub, a folder, or built here."""
