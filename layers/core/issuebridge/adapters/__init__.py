"""How the world does it: AWS, HTTP and one folder for each issue system."""
