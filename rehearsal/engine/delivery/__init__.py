"""What carries a push into the account: CodePipeline, CodeBuild, and local repositories in the place of hosted ones."""
